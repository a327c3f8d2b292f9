// mlp: dense layers with ReLU between them, on the flattened pixels.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

absl::StatusOr<Net> BuildMlp(const NetOptions& options, int64_t batch) {
  const std::vector<int> hidden = options.hidden.empty() ? std::vector<int>{256} : options.hidden;
  NetBuilder net(options, batch);
  ValueId x = net.Flatten("flatten", net.input());
  for (size_t i = 0; i < hidden.size(); ++i) {
    x = net.Dense(absl::StrCat("fc", i + 1), x, hidden[i], Initializer::Kind::kHeNormal);
    x = net.Relu(absl::StrCat("relu", i + 1), x);
  }
  x = net.Dropout("dropout", x);
  return net.Finish(absl::StrCat("fc", hidden.size() + 1), x);
}

}  // namespace fovea
