// lenet: LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, figure 2) with today's parts: ReLU for tanh,
// max pooling for trained averages, full connection between the convolutions, padding 2 in the
// first so that 28 x 28 takes the place of the padded 32 x 32.

#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

absl::StatusOr<Net> BuildLenet(const NetOptions& options, int64_t batch) {
  constexpr auto kHe = Initializer::Kind::kHeNormal;
  NetBuilder net(options, batch);
  ValueId x = net.input();
  x = net.Conv("conv1", x, 6, {.kernel = 5, .pad = 2, .bias = true});
  x = net.Relu("relu1", x);
  x = net.MaxPool("pool1", x, 2, 2, 0);
  x = net.Conv("conv2", x, 16, {.kernel = 5, .bias = true});
  x = net.Relu("relu2", x);
  x = net.MaxPool("pool2", x, 2, 2, 0);
  x = net.Flatten("flatten", x);
  x = net.Relu("relu3", net.Dense("fc1", x, 120, kHe));
  x = net.Relu("relu4", net.Dense("fc2", x, 84, kHe));
  x = net.Dropout("dropout", x);
  return net.Finish("fc3", x);
}

}  // namespace fovea
