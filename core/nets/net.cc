#include "core/nets/net.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/nets/architectures.h"
#include "core/nets/text_net.h"

namespace fovea {

namespace {

struct Architecture {
  const char* name;
  absl::StatusOr<Net> (*build)(const NetOptions& options, int64_t batch);
  int min_side;  // pixels; below it a feature map would shrink to nothing, or all but nothing
};

constexpr Architecture kArchitectures[] = {
    {"mlp", BuildMlp, 1},
    {"lenet", BuildLenet, 12},
    {"resnet8", BuildResnet8, 8},
    {"resnet20", BuildResnet20, 8},
    {"resnet56", BuildResnet56, 8},
    {"resnet18", BuildResnet18, 32},
    {"resnet34", BuildResnet34, 32},
    {"resnet50", BuildResnet50, 32},
    {"vgg11", BuildVgg11, 32},
    {"vgg11_bn", BuildVgg11Bn, 32},
    {"mobilenet_v2", BuildMobilenetV2, 32},
    {"mobilenet_v3_small", BuildMobilenetV3Small, 32},
};
constexpr Architecture kText = {"text", BuildTextNet, 1};

absl::StatusOr<const Architecture*> FindArchitecture(const std::string& name) {
  if (name == kText.name) return &kText;
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return &architecture;
  }
  const auto append_name = [](std::string* out, const Architecture& a) { *out += a.name; };
  return absl::InvalidArgumentError(absl::StrCat("unknown net \"", name, "\"; known are ",
                                                 absl::StrJoin(kArchitectures, ", ", append_name)));
}

absl::Status CheckPositive(const std::string& net, const char* what, int64_t found) {
  if (found >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("net \"", net, "\": ", what, " is ", found, ", expected at least 1"));
}

absl::Status CheckSizes(const NetOptions& options, int64_t batch, int min_side) {
  RETURN_IF_ERROR(CheckPositive(options.name, "batch", batch));
  RETURN_IF_ERROR(CheckPositive(options.name, "image height", options.height));
  RETURN_IF_ERROR(CheckPositive(options.name, "image width", options.width));
  RETURN_IF_ERROR(CheckPositive(options.name, "number of channels", options.channels));
  RETURN_IF_ERROR(CheckPositive(options.name, "number of labels", options.labels));
  for (int units : options.hidden) {
    RETURN_IF_ERROR(CheckPositive(options.name, "units of a hidden layer", units));
  }
  if (std::min(options.height, options.width) < min_side) {
    return absl::InvalidArgumentError(
        absl::StrCat("net \"", options.name, "\": images of ", options.width, " x ", options.height,
                     " pixels are too small, expected at least ", min_side, " x ", min_side));
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const NetOptions& options) {
  if (!options.hidden.empty() && options.name != "mlp") {
    return absl::InvalidArgumentError(
        absl::StrCat("net \"", options.name, "\" takes no hidden layers; only \"mlp\" does"));
  }
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("net \"", options.name, "\": dropout is ",
                                                   options.dropout, ", expected 0 <= rate < 1"));
  }
  if (!(options.stochastic_depth >= 0 && options.stochastic_depth < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("net \"", options.name, "\": stochastic depth is ", options.stochastic_depth,
                     ", expected 0 <= rate < 1"));
  }
  const size_t channels = options.channels;
  if (options.mean.size() != channels || options.std.size() != channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("net \"", options.name, "\": ", options.mean.size(), " means and ",
                     options.std.size(), " standard deviations for ", channels, " channels"));
  }
  for (float deviation : options.std) {
    if (!(deviation > 0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "net \"", options.name, "\": standard deviation ", deviation, ", expected above 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Net> BuildNet(const NetOptions& options, int64_t batch) {
  ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(options.name));
  RETURN_IF_ERROR(CheckSizes(options, batch, architecture->min_side));
  NetOptions complete = options;
  if (complete.mean.empty()) complete.mean.assign(options.channels, 0.5f);
  if (complete.std.empty()) complete.std.assign(options.channels, 0.25f);
  RETURN_IF_ERROR(CheckValues(complete));
  return architecture->build(complete, batch);
}

std::vector<absl::string_view> NetNames() {
  std::vector<absl::string_view> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

absl::StatusOr<Graph> WithHead(const Net& net, Head head) {
  Graph graph = net.graph;
  if (head == Head::kIdentity) {
    graph.mutable_outputs() = {net.logits};
    return graph;
  }
  const Attrs attrs =
      head == Head::kSoftmax ? Attrs(Softmax{}) : Attrs(Activate{{Activation::kSigmoid}});
  const char* name = head == Head::kSoftmax ? "softmax" : "sigmoid";
  ASSIGN_OR_RETURN(const ValueId probabilities, graph.Add1(name, attrs, {net.logits}));
  graph.mutable_value(probabilities).name = "probabilities";
  graph.mutable_outputs() = {probabilities};
  return graph;
}

}  // namespace fovea
