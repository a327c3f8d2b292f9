// The text form of attributes: the fields of each op that differ from their defaults.
#include <array>
#include <charconv>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/graph/graph.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

std::string FloatText(float value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

const char* ActivationName(Activation kind) {
  switch (kind) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kLeakyRelu:
      return "leaky_relu";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kTanh:
      return "tanh";
    case Activation::kClip:
      return "clip";
    case Activation::kElu:
      return "elu";
    case Activation::kSelu:
      return "selu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSilu:
      return "silu";
    case Activation::kHardSigmoid:
      return "hard_sigmoid";
    case Activation::kHardSwish:
      return "hard_swish";
    case Activation::kSoftplus:
      return "softplus";
  }
  return "?";
}

std::string FieldText(bool value) { return value ? "true" : "false"; }
std::string FieldText(int32_t value) { return absl::StrCat(value); }
std::string FieldText(uint32_t value) { return absl::StrCat(value); }
std::string FieldText(int64_t value) { return absl::StrCat(value); }
std::string FieldText(float value) { return FloatText(value); }
std::string FieldText(DType value) { return DTypeName(value); }
std::string FieldText(PoolKind value) {
  return value == PoolKind::kMax ? "max" : value == PoolKind::kAverage ? "average" : "l2";
}
std::string FieldText(Deviation value) {
  switch (value) {
    case Deviation::kSquared:
      return "squared";
    case Deviation::kAbsolute:
      return "absolute";
    case Deviation::kHuber:
      return "huber";
  }
  return "?";
}
std::string FieldText(const Loss& value);  // "SoftmaxFocalLoss(gamma=3)"
std::string FieldText(const Dims& value) { return value.ToString(); }
std::string FieldText(const ActivationSpec& value) {
  std::string text = ActivationName(value.kind);
  if (value.kind == Activation::kLeakyRelu || value.kind == Activation::kElu) {
    absl::StrAppend(&text, "(", FloatText(value.alpha), ")");
  }
  if (value.kind == Activation::kClip || value.kind == Activation::kHardSigmoid) {
    absl::StrAppend(&text, "(", FloatText(value.alpha), ",", FloatText(value.beta), ")");
  }
  return text;
}
template <size_t n>
std::string FieldText(const std::array<int32_t, n>& value) {
  return absl::StrCat("[", absl::StrJoin(value, ","), "]");
}

// Fields(f, a, d) calls f(name, field of a, field of d) for every field; d is the default.
template <typename F>
void Fields(F f, const Window& a, const Window& d) {
  f("kernel", a.kernel, d.kernel);
  f("stride", a.stride, d.stride);
  f("dilation", a.dilation, d.dilation);
  f("pad", a.pad, d.pad);
}
template <typename F>
void Fields(F f, const Conv& a, const Conv& d) {
  Fields(f, a.window, d.window);
  f("group", a.group, d.group);
  f("has_bias", a.has_bias, d.has_bias);
  f("has_residual", a.has_residual, d.has_residual);
  f("activation", a.activation, d.activation);
}
template <typename F>
void Fields(F f, const InvertedResidual& a, const InvertedResidual& d) {
  Fields(f, a.window, d.window);
  f("has_expansion", a.has_expansion, d.has_expansion);
  f("has_residual", a.has_residual, d.has_residual);
  f("expansion", a.expansion, d.expansion);
  f("depthwise", a.depthwise, d.depthwise);
  f("projection", a.projection, d.projection);
}
template <typename F>
void Fields(F f, const QuantizedConv& a, const QuantizedConv& d) {
  Fields(f, a.conv, d.conv);
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const ConvBackwardData& a, const ConvBackwardData& d) {
  Fields(f, a.forward, d.forward);
  f("input", a.input, d.input);
}
template <typename F>
void Fields(F f, const ConvBackwardWeights& a, const ConvBackwardWeights& d) {
  Fields(f, a.forward, d.forward);
  f("weight", a.weight, d.weight);
}
template <typename F>
void Fields(F f, const ConvTranspose& a, const ConvTranspose& d) {
  Fields(f, a.window, d.window);
  f("group", a.group, d.group);
  f("output_pad", a.output_pad, d.output_pad);
  f("has_bias", a.has_bias, d.has_bias);
}
template <typename F>
void Fields(F f, const Dense& a, const Dense& d) {
  f("has_bias", a.has_bias, d.has_bias);
  f("has_residual", a.has_residual, d.has_residual);
  f("activation", a.activation, d.activation);
}
template <typename F>
void Fields(F f, const Pool& a, const Pool& d) {
  f("kind", a.kind, d.kind);
  Fields(f, a.window, d.window);
  f("global", a.global, d.global);
  f("ceil", a.ceil, d.ceil);
  f("count_include_pad", a.count_include_pad, d.count_include_pad);
  f("training", a.training, d.training);
}
template <typename F>
void Fields(F f, const PoolBackward& a, const PoolBackward& d) {
  Fields(f, a.forward, d.forward);
  f("input", a.input, d.input);
}
template <typename F>
void Fields(F f, const BatchNorm& a, const BatchNorm& d) {
  f("epsilon", a.epsilon, d.epsilon);
  f("momentum", a.momentum, d.momentum);
}
template <typename F>
void Fields(F f, const BatchNormTraining& a, const BatchNormTraining& d) {
  f("epsilon", a.epsilon, d.epsilon);
  f("relu", a.relu, d.relu);
}
template <typename F>
void Fields(F f, const FrozenBatchNormBackward& a, const FrozenBatchNormBackward& d) {
  f("epsilon", a.epsilon, d.epsilon);
}
template <typename F>
void Fields(F f, const BatchNormBackward& a, const BatchNormBackward& d) {
  f("epsilon", a.epsilon, d.epsilon);
  f("relu", a.relu, d.relu);
}
template <typename F>
void Fields(F f, const UpdateStatistics& a, const UpdateStatistics& d) {
  f("momentum", a.momentum, d.momentum);
  f("count", a.count, d.count);
}
template <typename F>
void Fields(F f, const FoldBatchNorm& a, const FoldBatchNorm& d) {
  f("epsilon", a.epsilon, d.epsilon);
  f("has_bias", a.has_bias, d.has_bias);
}
template <typename F>
void Fields(F f, const GroupNorm& a, const GroupNorm& d) {
  f("groups", a.groups, d.groups);
  f("epsilon", a.epsilon, d.epsilon);
}
template <typename F>
void Fields(F f, const GroupNormBackward& a, const GroupNormBackward& d) {
  Fields(f, a.forward, d.forward);
}
template <typename F>
void Fields(F f, const LocalResponseNorm& a, const LocalResponseNorm& d) {
  f("size", a.size, d.size);
  f("alpha", a.alpha, d.alpha);
  f("beta", a.beta, d.beta);
  f("bias", a.bias, d.bias);
}
template <typename F>
void Fields(F f, const LocalResponseNormBackward& a, const LocalResponseNormBackward& d) {
  Fields(f, a.forward, d.forward);
}
template <typename F>
void Fields(F f, const Activate& a, const Activate& d) {
  f("activation", a.activation, d.activation);
}
template <typename F>
void Fields(F f, const ActivateBackward& a, const ActivateBackward& d) {
  f("activation", a.activation, d.activation);
}
template <typename F>
void Fields(F f, const Add& a, const Add& d) {
  f("activation", a.activation, d.activation);
}
template <typename F>
void Fields(F f, const SliceChannels& a, const SliceChannels& d) {
  f("begin", a.begin, d.begin);
  f("count", a.count, d.count);
}
template <typename F>
void Fields(F f, const Reshape& a, const Reshape& d) {
  f("dims", a.dims, d.dims);
}
template <typename F>
void Fields(F f, const Dropout& a, const Dropout& d) {
  f("rate", a.rate, d.rate);
  f("salt", a.salt, d.salt);
  f("per_example", a.per_example, d.per_example);
}
template <typename F>
void Fields(F f, const Normalize& a, const Normalize& d) {
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const SoftmaxCrossEntropy& a, const SoftmaxCrossEntropy& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
  f("clip", a.clip, d.clip);
}
template <typename F>
void Fields(F f, const SoftmaxFocalLoss& a, const SoftmaxFocalLoss& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
  f("gamma", a.gamma, d.gamma);
}
template <typename F>
void Fields(F f, const SigmoidCrossEntropy& a, const SigmoidCrossEntropy& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
  f("clip", a.clip, d.clip);
}
template <typename F>
void Fields(F f, const SigmoidFocalLoss& a, const SigmoidFocalLoss& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
  f("gamma", a.gamma, d.gamma);
  f("alpha", a.alpha, d.alpha);
}
template <typename F>
void Fields(F f, const AsymmetricLoss& a, const AsymmetricLoss& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
  f("gamma_plus", a.gamma_plus, d.gamma_plus);
  f("gamma_minus", a.gamma_minus, d.gamma_minus);
  f("margin", a.margin, d.margin);
}
template <typename F>
void Fields(F f, const SoftHammingLoss& a, const SoftHammingLoss& d) {
  f("label_smoothing", a.label_smoothing, d.label_smoothing);
}
template <typename F>
void Fields(F f, const RegressionLoss& a, const RegressionLoss& d) {
  f("deviation", a.deviation, d.deviation);
  f("delta", a.delta, d.delta);
  f("sigmoid", a.sigmoid, d.sigmoid);
}
template <typename F>
void Fields(F f, const LossBackward& a, const LossBackward& d) {
  f("forward", a.forward, d.forward);
}
template <typename F>
void Fields(F f, const Fill& a, const Fill& d) {
  f("value", a.value, d.value);
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const UpdateTerms& a, const UpdateTerms& d) {
  f("weight_decay", a.weight_decay, d.weight_decay);
  f("l1_decay", a.l1_decay, d.l1_decay);
  f("decoupled_decay", a.decoupled_decay, d.decoupled_decay);
  f("clip_value", a.clip_value, d.clip_value);
  f("scaled", a.scaled, d.scaled);
  f("decayed", a.decayed, d.decayed);
}
template <typename F>
void Fields(F f, const SgdMomentum& a, const SgdMomentum& d) {
  f("momentum", a.momentum, d.momentum);
  f("nesterov", a.nesterov, d.nesterov);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const Adam& a, const Adam& d) {
  f("beta1", a.beta1, d.beta1);
  f("beta2", a.beta2, d.beta2);
  f("epsilon", a.epsilon, d.epsilon);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const Adagrad& a, const Adagrad& d) {
  f("initial_accumulator", a.initial_accumulator, d.initial_accumulator);
  f("epsilon", a.epsilon, d.epsilon);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const AdagradDa& a, const AdagradDa& d) {
  f("initial_accumulator", a.initial_accumulator, d.initial_accumulator);
  f("l1", a.l1, d.l1);
  f("l2", a.l2, d.l2);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const Adadelta& a, const Adadelta& d) {
  f("rho", a.rho, d.rho);
  f("epsilon", a.epsilon, d.epsilon);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const RmsProp& a, const RmsProp& d) {
  f("decay", a.decay, d.decay);
  f("momentum", a.momentum, d.momentum);
  f("epsilon", a.epsilon, d.epsilon);
  f("centered", a.centered, d.centered);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const Ftrl& a, const Ftrl& d) {
  f("learning_rate_power", a.learning_rate_power, d.learning_rate_power);
  f("initial_accumulator", a.initial_accumulator, d.initial_accumulator);
  f("beta", a.beta, d.beta);
  f("l1", a.l1, d.l1);
  f("l2", a.l2, d.l2);
  f("l2_shrinkage", a.l2_shrinkage, d.l2_shrinkage);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const ProximalGradientDescent& a, const ProximalGradientDescent& d) {
  f("l1", a.l1, d.l1);
  f("l2", a.l2, d.l2);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const ProximalAdagrad& a, const ProximalAdagrad& d) {
  f("initial_accumulator", a.initial_accumulator, d.initial_accumulator);
  f("l1", a.l1, d.l1);
  f("l2", a.l2, d.l2);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const Lion& a, const Lion& d) {
  f("beta1", a.beta1, d.beta1);
  f("beta2", a.beta2, d.beta2);
  Fields(f, a.terms, d.terms);
}
template <typename F>
void Fields(F f, const NormScale& a, const NormScale& d) {
  f("max_norm", a.max_norm, d.max_norm);
  f("clip_value", a.clip_value, d.clip_value);
}
template <typename F>
void Fields(F f, const SumGradients& a, const SumGradients& d) {
  f("count", a.count, d.count);
}
template <typename F>
void Fields(F f, const Reorder& a, const Reorder& d) {
  f("layout", a.layout, d.layout);
}
template <typename F>
void Fields(F f, const Cast& a, const Cast& d) {
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const Quantize& a, const Quantize& d) {
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const Dequantize& a, const Dequantize& d) {
  f("dtype", a.dtype, d.dtype);
}
template <typename F>
void Fields(F f, const QuantizeWeights& a, const QuantizeWeights& d) {
  f("has_bias", a.has_bias, d.has_bias);
}
template <typename F>
void Fields(F f, const QuantizedDense& a, const QuantizedDense& d) {
  Fields(f, a.dense, d.dense);
  f("dtype", a.dtype, d.dtype);
}
// The ops without attributes. An op with a field that is not listed above fails here.
template <typename F, typename Op>
void Fields(F, const Op&, const Op&) {
  static_assert(std::is_empty_v<Op>, "list the fields of this op in attrs_text.cc");
}

std::string FieldsToText(const Attrs& attrs) {
  std::string text;
  const auto print = [&text](absl::string_view name, const auto& value, const auto& usual) {
    if (!(value == usual)) absl::StrAppend(&text, " ", name, "=", FieldText(value));
  };
  std::visit([&](const auto& op) { Fields(print, op, std::decay_t<decltype(op)>()); }, attrs);
  return text;
}

std::string FieldText(const Loss& value) {
  std::vector<std::string> fields;
  const auto collect = [&fields](absl::string_view name, const auto& field, const auto& usual) {
    if (!(field == usual)) fields.push_back(absl::StrCat(name, "=", FieldText(field)));
  };
  return std::visit(
      [&](const auto& op) {
        Fields(collect, op, std::decay_t<decltype(op)>());
        return absl::StrCat(OpOf(op).name, "(", absl::StrJoin(fields, ","), ")");
      },
      value);
}

}  // namespace

std::string ConstantsToText(absl::Span<const float> constants) {
  const auto print = [](std::string* out, float value) { out->append(FloatText(value)); };
  return absl::StrCat("[", absl::StrJoin(constants, ",", print), "]");
}

std::string AttrsToText(const Attrs& attrs) {
  return absl::StrCat(OpOf(attrs).name, FieldsToText(attrs));
}

}  // namespace fovea
