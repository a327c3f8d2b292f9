#include "core/nets/builder.h"

#include <utility>

namespace fovea {

namespace {

constexpr float kBatchNormEpsilon = 1e-5f;
constexpr float kBatchNormMomentum = 0.9f;

}  // namespace

NetBuilder::NetBuilder(const NetOptions& options, int64_t batch) : options_(options) {
  const Dims dims = {batch, options.height, options.width, options.channels};
  net_.pixels = net_.graph.AddInput("pixels", {DType::kU8, dims});
  std::vector<float> constants = options.mean;
  constants.insert(constants.end(), options.std.begin(), options.std.end());
  input_ = Node("normalize", Normalize{}, {net_.pixels}, std::move(constants));
}

int64_t NetBuilder::channels(ValueId x) const {
  return x == kNoValue ? 1 : net_.graph.type(x).dims[1];
}

ValueId NetBuilder::Conv(const std::string& name, ValueId x, int64_t out_channels,
                         ConvOptions options) {
  if (!status_.ok()) return kNoValue;
  fovea::Conv attrs;
  attrs.window.kernel = {options.kernel, options.kernel};
  attrs.window.stride = {options.stride, options.stride};
  attrs.window.pad = {options.pad, options.pad, options.pad, options.pad};
  attrs.group = options.group;
  attrs.has_bias = options.bias;
  const Dims dims = {out_channels, channels(x) / options.group, options.kernel, options.kernel};
  std::vector<ValueId> inputs = {x, Parameter(name + ".weight", dims, options.weights)};
  if (options.bias) {
    inputs.push_back(Parameter(name + ".bias", {out_channels}, Initializer::Kind::kConstant));
  }
  return Node(name, attrs, std::move(inputs));
}

ValueId NetBuilder::BatchNorm(const std::string& name, ValueId x) {
  if (!status_.ok()) return kNoValue;
  const Dims dims = {channels(x)};
  const ValueId scale = Parameter(name + ".weight", dims, Initializer::Kind::kConstant, 1);
  const ValueId shift = Parameter(name + ".bias", dims, Initializer::Kind::kConstant, 0);
  const ValueId mean = State(name + ".running_mean", dims, 0);
  const ValueId variance = State(name + ".running_var", dims, 1);
  return Node(name, fovea::BatchNorm{kBatchNormEpsilon, kBatchNormMomentum},
              {x, scale, shift, mean, variance});
}

ValueId NetBuilder::Dense(const std::string& name, ValueId x, int64_t units,
                          Initializer::Kind weights) {
  if (!status_.ok()) return kNoValue;
  fovea::Dense attrs;
  attrs.has_bias = true;
  const ValueId weight = Parameter(name + ".weight", {units, channels(x)}, weights);
  const ValueId bias = Parameter(name + ".bias", {units}, Initializer::Kind::kConstant);
  return Node(name, attrs, {x, weight, bias});
}

ValueId NetBuilder::Activated(const std::string& name, ValueId x, ActivationSpec activation) {
  return Node(name, Activate{activation}, {x});
}

ValueId NetBuilder::Relu(const std::string& name, ValueId x) {
  return Activated(name, x, {Activation::kRelu});
}

ValueId NetBuilder::Relu6(const std::string& name, ValueId x) {
  return Activated(name, x, {Activation::kClip, 0, 6});
}

ValueId NetBuilder::Add(const std::string& name, ValueId a, ValueId b, Activation activation) {
  return Node(name, fovea::Add{{activation}}, {a, b});
}

ValueId NetBuilder::MaxPool(const std::string& name, ValueId x, int kernel, int stride, int pad) {
  Pool attrs;
  attrs.window.kernel = {kernel, kernel};
  attrs.window.stride = {stride, stride};
  attrs.window.pad = {pad, pad, pad, pad};
  return Node(name, attrs, {x});
}

ValueId NetBuilder::GlobalAveragePool(const std::string& name, ValueId x) {
  Pool attrs;
  attrs.kind = PoolKind::kAverage;
  attrs.global = true;
  return Node(name, attrs, {x});
}

ValueId NetBuilder::Flatten(const std::string& name, ValueId x) {
  return Node(name, Reshape{{0, -1}}, {x});
}

ValueId NetBuilder::Dropout(const std::string& name, ValueId x) {
  if (options_.dropout == 0) return x;
  return Node(name, fovea::Dropout{options_.dropout}, {x});
}

absl::StatusOr<Net> NetBuilder::Finish(const std::string& name, ValueId x) {
  const int64_t outputs = int64_t{options_.labels} * (options_.two_way ? 2 : 1);
  net_.logits = Dense(name, x, outputs, Initializer::Kind::kGlorotUniform);
  if (options_.two_way) net_.logits = Node("two_way", PairDifference{}, {net_.logits});
  if (!status_.ok()) return status_;
  net_.graph.mutable_value(net_.logits).name = "logits";
  net_.graph.MarkOutput(net_.logits);
  net_.graph.AssignRegions();
  return std::move(net_);
}

ValueId NetBuilder::Node(const std::string& name, Attrs attrs, std::vector<ValueId> inputs,
                         std::vector<float> constants) {
  if (!status_.ok()) return kNoValue;
  absl::StatusOr<ValueId> y = net_.graph.Add1(name, attrs, std::move(inputs), std::move(constants));
  if (y.ok()) return *y;
  status_ = y.status();
  return kNoValue;
}

ValueId NetBuilder::Parameter(const std::string& name, Dims dims, Initializer::Kind kind,
                              float constant) {
  const ValueId id = net_.graph.AddParameter(name, dims);
  net_.initializers.push_back({net_.graph.value(id).name, kind, constant});
  return id;
}

ValueId NetBuilder::State(const std::string& name, Dims dims, float constant) {
  const ValueId id = net_.graph.AddState(name, dims);
  net_.initializers.push_back({net_.graph.value(id).name, Initializer::Kind::kConstant, constant});
  return id;
}

}  // namespace fovea
