#include "core/nets/builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {

namespace {

constexpr float kPReluSlope = 0.25f;

Window SquareWindow(int kernel, int stride, int dilation, int pad) {
  Window window;
  window.kernel = {kernel, kernel};
  window.stride = {stride, stride};
  window.dilation = {dilation, dilation};
  window.pad = {pad, pad, pad, pad};
  return window;
}

}  // namespace

NetBuilder::NetBuilder(const NetOptions& options, int64_t batch) : options_(options) {
  const Dims dims = {batch, options.height, options.width, options.channels};
  net_.pixels = net_.graph.AddInput("pixels", {DType::kU8, dims});
  std::vector<float> constants = options.mean;
  constants.insert(constants.end(), options.std.begin(), options.std.end());
  input_ = Node("normalize", Normalize{}, {net_.pixels}, std::move(constants));
}

int64_t NetBuilder::channels(ValueId x) const { return x == kNoValue ? 1 : dims(x)[1]; }

ValueId NetBuilder::Conv(const std::string& name, ValueId x, int64_t out_channels,
                         ConvOptions options) {
  if (!status_.ok()) return kNoValue;
  fovea::Conv attrs;
  attrs.window = SquareWindow(options.kernel, options.stride, options.dilation, options.pad);
  attrs.group = options.group;
  attrs.has_bias = options.bias;
  const Dims dims = {out_channels, channels(x) / options.group, options.kernel, options.kernel};
  std::vector<ValueId> inputs = {x, Weights(name + ".weight", dims, options.weights)};
  if (options.bias) {
    inputs.push_back(Parameter(name + ".bias", {out_channels}, Initializer::Kind::kConstant));
  }
  return Node(name, attrs, std::move(inputs));
}

ValueId NetBuilder::ConvTranspose(const std::string& name, ValueId x, int64_t out_channels,
                                  const ConvTransposeOptions& options) {
  if (!status_.ok()) return kNoValue;
  fovea::ConvTranspose attrs;
  attrs.window = SquareWindow(options.kernel, options.stride, options.dilation, options.pad);
  attrs.group = options.group;
  attrs.output_pad = {options.output_pad, options.output_pad};
  attrs.has_bias = options.bias;
  const Dims dims = {channels(x), out_channels / options.group, options.kernel, options.kernel};
  std::vector<ValueId> inputs = {x, Weights(name + ".weight", dims, Initializer::Kind::kHeNormal)};
  if (options.bias) {
    inputs.push_back(Parameter(name + ".bias", {out_channels}, Initializer::Kind::kConstant));
  }
  return Node(name, attrs, std::move(inputs));
}

ValueId NetBuilder::DepthwiseSeparable(const std::string& name, ValueId x, int64_t out_channels,
                                       ConvOptions options) {
  options.group = static_cast<int>(channels(x));
  x = Conv(name + ".depthwise", x, channels(x), options);
  x = Relu(name + ".depthwise_relu", BatchNorm(name + ".depthwise_bn", x));
  x = Conv(name + ".pointwise", x, out_channels, {.kernel = 1});
  return Relu(name + ".pointwise_relu", BatchNorm(name + ".pointwise_bn", x));
}

ValueId NetBuilder::Dense(const std::string& name, ValueId x, int64_t units,
                          Initializer::Kind weights) {
  if (!status_.ok()) return kNoValue;
  fovea::Dense attrs;
  attrs.has_bias = true;
  const ValueId weight = Weights(name + ".weight", {units, channels(x)}, weights);
  const ValueId bias = Parameter(name + ".bias", {units}, Initializer::Kind::kConstant);
  return Node(name, attrs, {x, weight, bias});
}

ValueId NetBuilder::BatchNorm(const std::string& name, ValueId x, const BatchNormOptions& options) {
  if (!status_.ok()) return kNoValue;
  const Dims dims = {channels(x)};
  const float first_scale = options.last && options_.zero_last_gamma ? 0.0f : 1.0f;
  const ValueId scale =
      Parameter(name + ".weight", dims, Initializer::Kind::kConstant, first_scale);
  const ValueId shift = Parameter(name + ".bias", dims, Initializer::Kind::kConstant, 0);
  const ValueId mean = State(name + ".running_mean", dims, 0);
  const ValueId variance = State(name + ".running_var", dims, 1);
  return Node(name, fovea::BatchNorm{options.epsilon, options.momentum},
              {x, scale, shift, mean, variance});
}

ValueId NetBuilder::GroupNorm(const std::string& name, ValueId x, int64_t groups) {
  if (!status_.ok()) return kNoValue;
  const Dims dims = {channels(x)};
  const ValueId scale = Parameter(name + ".weight", dims, Initializer::Kind::kConstant, 1);
  const ValueId shift = Parameter(name + ".bias", dims, Initializer::Kind::kConstant, 0);
  return Node(name, fovea::GroupNorm{static_cast<int32_t>(groups)}, {x, scale, shift});
}

ValueId NetBuilder::LocalResponseNorm(const std::string& name, ValueId x,
                                      const fovea::LocalResponseNorm& attrs) {
  return Node(name, attrs, {x});
}

ValueId NetBuilder::Activate(const std::string& name, ValueId x, ActivationSpec activation) {
  return Node(name, fovea::Activate{activation}, {x});
}

ValueId NetBuilder::Relu(const std::string& name, ValueId x) {
  return Activate(name, x, {Activation::kRelu});
}

ValueId NetBuilder::Relu6(const std::string& name, ValueId x) {
  return Activate(name, x, {Activation::kClip, 0, 6});
}

ValueId NetBuilder::HardSwish(const std::string& name, ValueId x) {
  return Activate(name, x, {Activation::kHardSwish});
}

ValueId NetBuilder::PRelu(const std::string& name, ValueId x) {
  if (!status_.ok()) return kNoValue;
  const ValueId slope =
      Parameter(name + ".weight", {channels(x)}, Initializer::Kind::kConstant, kPReluSlope);
  return Node(name, fovea::PRelu{}, {x, slope});
}

ValueId NetBuilder::Add(const std::string& name, ValueId a, ValueId b, Activation activation) {
  return Node(name, fovea::Add{{activation}}, {a, b});
}

ValueId NetBuilder::Mul(const std::string& name, ValueId a, ValueId b) {
  return Node(name, fovea::Mul{}, {a, b});
}

ValueId NetBuilder::Concat(const std::string& name, const std::vector<ValueId>& parts) {
  return Node(name, fovea::Concat{}, parts);
}

ValueId NetBuilder::SqueezeExcite(const std::string& name, ValueId x, int64_t squeezed,
                                  ActivationSpec gate) {
  ValueId y = GlobalAveragePool(name + ".avgpool", x);
  y = Conv(name + ".fc1", y, squeezed, {.kernel = 1, .bias = true});
  y = Relu(name + ".activation", y);
  y = Conv(name + ".fc2", y, channels(x), {.kernel = 1, .bias = true});
  y = Activate(name + ".scale_activation", y, gate);
  return Mul(name + ".scale", x, y);
}

ValueId NetBuilder::EndBranch(const std::string& name, ValueId y) {
  ++branches_;
  if (options_.stochastic_depth == 0) return y;
  return Node(name, fovea::Dropout{options_.stochastic_depth, 0, /*per_example=*/true}, {y});
}

ValueId NetBuilder::Pool(const std::string& name, ValueId x, PoolKind kind,
                         const PoolOptions& options) {
  fovea::Pool attrs;
  attrs.kind = kind;
  attrs.window = SquareWindow(options.kernel, options.stride, 1, options.pad);
  attrs.ceil = options.ceil;
  return Node(name, attrs, {x});
}

ValueId NetBuilder::MaxPool(const std::string& name, ValueId x, int kernel, int stride, int pad) {
  return Pool(name, x, PoolKind::kMax, {.kernel = kernel, .stride = stride, .pad = pad});
}

ValueId NetBuilder::GlobalPool(const std::string& name, ValueId x, PoolKind kind) {
  fovea::Pool attrs;
  attrs.kind = kind;
  attrs.global = true;
  return Node(name, attrs, {x});
}

ValueId NetBuilder::GlobalAveragePool(const std::string& name, ValueId x) {
  return GlobalPool(name, x, PoolKind::kAverage);
}

ValueId NetBuilder::Flatten(const std::string& name, ValueId x) {
  return Node(name, Reshape{{0, -1}}, {x});
}

ValueId NetBuilder::Dropout(const std::string& name, ValueId x) {
  return DropoutOf(name, x, options_.dropout);
}

ValueId NetBuilder::DropoutOf(const std::string& name, ValueId x, float rate) {
  if (rate == 0) return x;
  return Node(name, fovea::Dropout{rate}, {x});
}

absl::StatusOr<Net> NetBuilder::Finish(const std::string& name, ValueId x) {
  const int64_t outputs = int64_t{options_.labels} * (options_.two_way ? 2 : 1);
  net_.logits = Dense(name, x, outputs, Initializer::Kind::kGlorotUniform);
  if (options_.two_way) net_.logits = Node("two_way", PairDifference{}, {net_.logits});
  if (status_.ok()) status_ = FinishBranches();
  if (!status_.ok()) return status_;
  net_.graph.mutable_value(net_.logits).name = "logits";
  net_.graph.MarkOutput(net_.logits);
  net_.graph.AssignRegions();
  return std::move(net_);
}

// Branch l of L is dropped with probability l / L · stochastic_depth.
absl::Status NetBuilder::FinishBranches() {
  const bool wanted = options_.zero_last_gamma || options_.stochastic_depth > 0;
  if (wanted && branches_ == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("net \"", options_.name, "\" has no residual branches, expected some for ",
                     options_.zero_last_gamma ? "zero_last_gamma" : "stochastic_depth"));
  }
  int branch = 0;
  for (fovea::Node& node : net_.graph.mutable_nodes()) {
    auto* dropout = std::get_if<fovea::Dropout>(&node.attrs);
    if (dropout == nullptr || !dropout->per_example) continue;
    dropout->rate =
        options_.stochastic_depth * static_cast<float>(++branch) / static_cast<float>(branches_);
  }
  return absl::OkStatus();
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
                              float value) {
  const ValueId id = net_.graph.AddParameter(name, dims);
  net_.initializers.push_back({net_.graph.value(id).name, kind, value});
  return id;
}

ValueId NetBuilder::Weights(const std::string& name, Dims dims, Initializer::Kind kind) {
  const WeightInitializer weights = options_.weights.value_or(WeightInitializer{kind});
  return Parameter(name, dims, weights.kind, weights.value);
}

ValueId NetBuilder::State(const std::string& name, Dims dims, float value) {
  const ValueId id = net_.graph.AddState(name, dims);
  net_.initializers.push_back({net_.graph.value(id).name, Initializer::Kind::kConstant, value});
  return id;
}

}  // namespace fovea
