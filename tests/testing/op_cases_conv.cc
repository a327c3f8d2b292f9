// The cases of convolution: every geometry with its gradients, every epilogue, the gradient ops on
// their own, and the inverted residual.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

struct Geometry {
  std::string name;
  Dims x;
  int64_t outputs = 1;
  Window window = {};
  int32_t group = 1;
};

const std::vector<Geometry>& Geometries() {
  static const auto* geometries = new std::vector<Geometry>{
      // Kernels.
      {"1x1", {2, 16, 7, 7}, 32, {}},
      {"1x1_stride2", {2, 16, 8, 8}, 16, {{1, 1}, {2, 2}}},
      {"3x3_valid", {1, 8, 9, 9}, 8, {{3, 3}}},
      {"3x3_same", {2, 16, 8, 8}, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"3x3_same_batch5", {5, 8, 5, 5}, 8, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"5x5_same", {2, 8, 9, 9}, 16, {{5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}}},
      {"7x7_stride2", {1, 3, 17, 17}, 16, {{7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}}},
      {"1x7", {2, 8, 6, 9}, 8, {{1, 7}, {1, 1}, {1, 1}, {0, 3, 0, 3}}},
      {"7x1", {2, 8, 9, 6}, 8, {{7, 1}, {1, 1}, {1, 1}, {3, 0, 3, 0}}},
      {"2x2_even_kernel", {2, 8, 6, 6}, 8, {{2, 2}}},
      {"kernel_of_input_size", {3, 16, 5, 5}, 10, {{5, 5}}},
      {"1x1_image", {4, 16, 1, 1}, 24, {}},
      // Strides.
      {"3x3_stride2", {2, 16, 8, 8}, 16, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}},
      {"3x3_stride2_odd_input", {2, 8, 15, 13}, 8, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}},
      {"3x3_stride2_unread_border", {1, 8, 10, 10}, 8, {{3, 3}, {2, 2}}},
      {"3x3_stride1x2", {2, 8, 7, 8}, 8, {{3, 3}, {1, 2}, {1, 1}, {1, 1, 1, 1}}},
      {"3x3_stride3x1", {2, 8, 9, 7}, 8, {{3, 3}, {3, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"stride_beyond_kernel", {2, 8, 9, 9}, 8, {{2, 2}, {3, 3}}},
      // Padding.
      {"pad_asymmetric", {2, 8, 6, 6}, 8, {{4, 4}, {1, 1}, {1, 1}, {0, 1, 2, 3}}},
      {"pad_after_only_stride2", {2, 8, 8, 8}, 16, {{3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}}},
      {"pad_before_only", {2, 8, 6, 5}, 8, {{3, 3}, {1, 1}, {1, 1}, {2, 2, 0, 0}}},
      {"pad_full", {1, 8, 5, 5}, 8, {{3, 3}, {1, 1}, {1, 1}, {2, 2, 2, 2}}},
      // Dilation.
      {"dilation2", {2, 8, 9, 9}, 8, {{3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}}},
      {"dilation3x1", {2, 8, 11, 6}, 8, {{3, 3}, {1, 1}, {3, 1}, {0, 1, 0, 1}}},
      {"dilation2_stride2", {1, 8, 12, 12}, 8, {{3, 3}, {2, 2}, {2, 2}, {1, 1, 2, 2}}},
      // Channels.
      {"1_to_20_channels", {2, 1, 12, 12}, 20, {{5, 5}}},
      {"3_to_16_channels", {2, 3, 9, 9}, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"17_to_30_channels", {2, 17, 5, 5}, 30, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"30_to_17_channels", {2, 30, 5, 5}, 17, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"17_to_3_channels_1x1", {2, 17, 5, 7}, 3, {}},
      {"16_to_1_channels", {2, 16, 5, 5}, 1, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"64_to_64_channels", {1, 64, 4, 4}, 64, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      // Groups.
      {"group2", {2, 32, 5, 5}, 32, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 2},
      {"group3_odd", {2, 6, 5, 5}, 9, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 3},
      {"group4_widening", {2, 16, 6, 6}, 32, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 4},
      {"group2_1x1", {2, 32, 4, 4}, 32, {}, 2},
      // Few channels a group: runs of pixels of every length, blocks of channels, borders.
      {"few_a_group_4", {2, 16, 6, 31}, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 4},
      {"few_a_group_4_stride2", {2, 48, 15, 13}, 48, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 12},
      {"few_a_group_4_valid", {3, 48, 7, 9}, 48, {{3, 3}}, 12},
      {"few_a_group_4_unread_border", {1, 16, 10, 8}, 16, {{3, 3}, {2, 2}}, 4},
      {"few_a_group_4_one_sided", {1, 16, 5, 4}, 16, {{3, 3}, {1, 1}, {1, 1}, {2, 0, 0, 3}}, 4},
      {"few_a_group_4_one_pixel", {2, 16, 1, 1}, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 4},
      {"few_a_group_2", {2, 48, 9, 7}, 48, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 24},
      {"few_a_group_2_stride2", {2, 16, 8, 29}, 16, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 8},
      {"depthwise", {2, 32, 7, 7}, 32, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 32},
      {"depthwise_stride2", {2, 16, 9, 9}, 16, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 16},
      {"depthwise_5x5", {1, 16, 8, 8}, 16, {{5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}}, 16},
      {"depthwise_odd_channels", {2, 17, 6, 6}, 17, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 17},
      {"depthwise_multiplier2", {2, 8, 6, 6}, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 8},
  };
  return *geometries;
}

Conv ConvOf(const Geometry& geometry) {
  Conv conv;
  conv.window = geometry.window;
  conv.group = geometry.group;
  return conv;
}

Dims WeightDims(const Geometry& geometry) {
  return {geometry.outputs, geometry.x[1] / geometry.group, geometry.window.kernel[0],
          geometry.window.kernel[1]};
}

Dims OutputDims(const Geometry& geometry) {
  const Window& window = geometry.window;
  const auto extent = [&](int axis) {
    const int64_t dilated = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    return (geometry.x[2 + axis] + window.pad[axis] + window.pad[axis + 2] - dilated) /
               window.stride[axis] +
           1;
  };
  return {geometry.x[0], geometry.outputs, extent(0), extent(1)};
}

// A convolution with what `conv` asks for; differentiable when it has a bias at most.
OpCase ConvCase(std::string name, const Geometry& geometry, Conv conv) {
  OpCase result;
  result.name = std::move(name);
  result.attrs = conv;
  result.inputs = {{geometry.x}, {WeightDims(geometry), InputKind::kUniform, Role::kParameter}};
  result.differentiable = {0, 1};
  if (conv.has_bias) {
    result.inputs.push_back({{geometry.outputs}, InputKind::kUniform, Role::kParameter});
    result.differentiable.push_back(2);
  }
  if (conv.has_residual) result.inputs.push_back({OutputDims(geometry)});
  if (conv.has_residual || conv.activation.kind != Activation::kNone) {
    result.differentiable.clear();
  }
  return result;
}

struct Epilogue {
  std::string name;
  bool bias = false, residual = false;
  ActivationSpec activation = {};
};

const std::vector<Epilogue>& Epilogues() {
  static const auto* epilogues = new std::vector<Epilogue>{
      {"bias", true},
      {"relu", false, false, {Activation::kRelu}},
      {"bias_relu", true, false, {Activation::kRelu}},
      {"bias_leaky_relu", true, false, {Activation::kLeakyRelu, 0.1f}},
      {"bias_sigmoid", true, false, {Activation::kSigmoid}},
      {"bias_tanh", true, false, {Activation::kTanh}},
      {"bias_clip", true, false, {Activation::kClip, -0.5f, 1.5f}},
      {"bias_elu", true, false, {Activation::kElu, 0.7f}},
      {"selu", false, false, {Activation::kSelu}},
      {"bias_gelu", true, false, {Activation::kGelu}},
      {"bias_silu", true, false, {Activation::kSilu}},
      {"bias_hard_sigmoid", true, false, {Activation::kHardSigmoid, 0.2f, 0.5f}},
      {"bias_hard_swish", true, false, {Activation::kHardSwish}},
      {"softplus", false, false, {Activation::kSoftplus}},
      {"residual", false, true},
      {"bias_residual", true, true},
      {"residual_relu", false, true, {Activation::kRelu}},
      {"bias_residual_relu", true, true, {Activation::kRelu}},
      {"bias_residual_clip", true, true, {Activation::kClip, 0, 6}},
      {"bias_residual_silu", true, true, {Activation::kSilu}},
      {"residual_hard_sigmoid", false, true, {Activation::kHardSigmoid, 0.2f, 0.5f}},
  };
  return *epilogues;
}

void AddEpilogues(std::vector<OpCase>& cases, const std::string& name, const Geometry& geometry) {
  for (const Epilogue& epilogue : Epilogues()) {
    Conv conv = ConvOf(geometry);
    conv.has_bias = epilogue.bias;
    conv.has_residual = epilogue.residual;
    conv.activation = epilogue.activation;
    cases.push_back(ConvCase(absl::StrCat("conv_", name, "_", epilogue.name), geometry, conv));
  }
}

void AddGradientOps(std::vector<OpCase>& cases, const Geometry& geometry) {
  const Conv conv = ConvOf(geometry);
  const InputSpec weight = {WeightDims(geometry), InputKind::kUniform, Role::kParameter};
  const InputSpec x = {geometry.x}, dy = {OutputDims(geometry)};
  cases.push_back({absl::StrCat("conv_backward_data_", geometry.name),
                   ConvBackwardData{conv, geometry.x},
                   {dy, weight}});
  cases.push_back({absl::StrCat("conv_backward_weights_", geometry.name),
                   ConvBackwardWeights{conv, weight.dims},
                   {x, dy}});
}

// x [N,I,H,W], `expanded` channels between, `outputs` behind; all activations are `activation` but
// the last, which is none.
OpCase InvertedResidualCase(const std::string& name, const Dims& x, int64_t expanded,
                            int64_t outputs, const Window& window, ActivationSpec activation,
                            bool has_residual) {
  InvertedResidual op;
  op.window = window;
  op.has_expansion = x[1] != expanded;
  op.has_residual = has_residual;
  op.depthwise = activation;
  const auto parameter = [](const Dims& dims) {
    return InputSpec{dims, InputKind::kUniform, Role::kParameter};
  };
  OpCase result;
  result.name = absl::StrCat("inverted_residual_", name);
  result.inputs = {{x}};
  if (op.has_expansion) {
    op.expansion = activation;
    result.inputs.push_back(parameter({expanded, x[1], 1, 1}));
    result.inputs.push_back(parameter({expanded}));
  }
  result.inputs.push_back(parameter({expanded, 1, window.kernel[0], window.kernel[1]}));
  result.inputs.push_back(parameter({expanded}));
  result.inputs.push_back(parameter({outputs, expanded, 1, 1}));
  result.inputs.push_back(parameter({outputs}));
  if (has_residual) {
    result.inputs.push_back({OutputDims({"", x, outputs, window})});
  }
  result.attrs = op;
  result.cpu_may_fall_back = true;  // our kernel needs AVX-512
  return result;
}

void AddInvertedResidualCases(std::vector<OpCase>& cases) {
  const Window same = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  const Window half = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  const Window wide = {{5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}};
  const Window wide_half = {{5, 5}, {2, 2}, {1, 1}, {2, 2, 2, 2}};
  const Window valid = {{3, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}};
  const Window behind = {{3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}};
  const ActivationSpec relu = {Activation::kRelu}, relu6 = {Activation::kClip, 0, 6};
  const ActivationSpec hard_swish = {Activation::kHardSwish}, none = {};
  const auto add = [&](const auto&... arguments) {
    cases.push_back(InvertedResidualCase(arguments...));
  };
  add("same", Dims{2, 16, 9, 15}, 96, 24, same, relu6, false);
  add("residual", Dims{3, 24, 7, 7}, 144, 24, same, relu6, true);
  add("stride2", Dims{2, 16, 8, 28}, 64, 32, half, relu, false);
  add("stride2_odd_input", Dims{2, 16, 15, 13}, 48, 17, half, relu6, false);
  add("without_expansion", Dims{2, 32, 6, 5}, 32, 16, same, relu6, false);
  add("odd_channels", Dims{1, 17, 5, 6}, 35, 17, same, none, true);
  add("5x5", Dims{2, 16, 6, 20}, 72, 40, wide, hard_swish, false);
  add("5x5_stride2", Dims{1, 8, 9, 33}, 24, 8, wide_half, relu, false);
  add("without_padding", Dims{2, 16, 6, 17}, 32, 16, valid, hard_swish, false);
  add("padding_behind", Dims{2, 16, 8, 8}, 32, 16, behind, relu6, false);
  add("one_row", Dims{1, 16, 1, 4}, 32, 16, same, relu6, true);
}

}  // namespace

void AddConvCases(std::vector<OpCase>& cases) {
  for (const Geometry& geometry : Geometries()) {
    cases.push_back(ConvCase(absl::StrCat("conv_", geometry.name), geometry, ConvOf(geometry)));
  }
  const Window same3x3 = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  AddEpilogues(cases, "3x3", {"", {2, 16, 6, 6}, 32, same3x3});
  AddEpilogues(cases, "1x1_odd", {"", {1, 17, 5, 5}, 30, {}});
  AddEpilogues(cases, "depthwise", {"", {2, 16, 5, 5}, 16, same3x3, 16});
  AddEpilogues(cases, "few_a_group", {"", {2, 32, 5, 5}, 32, same3x3, 8});
  AddInvertedResidualCases(cases);
  for (const char* name : {"1x1_stride2", "3x3_stride2_odd_input", "pad_asymmetric", "group3_odd",
                           "depthwise_stride2", "dilation2"}) {
    for (const Geometry& geometry : Geometries()) {
      if (geometry.name == name) AddGradientOps(cases, geometry);
    }
  }
}

}  // namespace fovea
