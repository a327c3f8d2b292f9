#include "core/train/fine_tune.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/model/format.h"
#include "core/nets/freeze.h"

namespace fovea {
namespace {

// f64 weights take the f32 values of the file.
absl::Status SetValue(const Value& value, const Tensor& found, Weights& weights) {
  if (value.type.dims != found.type().dims) {
    return absl::FailedPreconditionError(
        absl::StrCat("it is ", found.type().ToString(), ", expected ", value.type.ToString()));
  }
  if (value.type.dtype == found.type().dtype) return weights.Set(value.name, found.view());
  Tensor converted(value.type);
  std::copy_n(found.as<float>(), found.count(), converted.as<double>());
  return weights.Set(value.name, converted.view());
}

}  // namespace

absl::StatusOr<std::string> LoadStart(FileSystem* files, const v1::TrainerJob& job, const Net& net,
                                      Weights& weights) {
  const v1::FineTune& tune = job.config().fine_tune();
  ASSIGN_OR_RETURN(const Model start, ReadModel(files, job.start_folder()));
  std::string name = absl::StrCat("model \"", tune.model(), "\"");
  if (tune.has_version()) absl::StrAppend(&name, " version ", tune.version());
  std::vector<std::string> anew;
  if (!tune.reuse_head()) anew = HeadParameters(net);
  for (const Value& value : weights.values()) {
    if (std::find(anew.begin(), anew.end(), value.name) != anew.end()) continue;
    const auto found = start.values.find(value.name);
    if (found == start.values.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " has no \"", value.name, "\", expected the values of the same net"));
    }
    const absl::Status set = SetValue(value, found->second, weights);
    if (!set.ok()) {
      return absl::Status(set.code(),
                          absl::StrCat(name, ", \"", value.name, "\": ", set.message()));
    }
  }
  weights.Touch();
  std::string text = absl::StrCat("begins with the weights of ", name);
  if (!anew.empty()) absl::StrAppend(&text, "; new are ", absl::StrJoin(anew, ", "));
  if (!tune.freeze().empty()) {
    absl::StrAppend(&text, "; frozen are ", absl::StrJoin(tune.freeze(), ", "));
  }
  return text;
}

}  // namespace fovea
