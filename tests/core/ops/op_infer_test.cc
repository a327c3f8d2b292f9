// What the shape rules say to wrong inputs: the node, what was found, what is expected.
#include <string>
#include <vector>

#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

Type F32(Dims dims) { return {DType::kF32, dims}; }
Type I64(Dims dims) { return {DType::kI64, dims}; }

Conv Conv3x3(int32_t group = 1) {
  Conv conv;
  conv.window.kernel = {3, 3};
  conv.group = group;
  return conv;
}

struct InferCase {
  std::string name;
  Attrs attrs;
  std::vector<Type> inputs;
  std::string message;
  std::vector<float> constants = {};
};

std::vector<InferCase> Cases() {
  const Type image = F32({8, 32, 14, 14});
  Conv with_bias;
  with_bias.has_bias = true;
  Conv with_residual;
  with_residual.has_residual = true;
  Conv no_stride;
  no_stride.window.stride = {1, 0};
  Conv negative_pad;
  negative_pad.window.pad = {0, -1, 0, 0};
  Conv slope;
  slope.activation = {Activation::kLeakyRelu, -1};
  Pool only_padding;
  only_padding.window = {{2, 2}, {1, 1}, {1, 1}, {2, 0, 0, 0}};
  Pool wide;
  wide.window.kernel = {3, 9};
  return {
      {"conv_channels",
       Conv3x3(),
       {image, F32({16, 64, 3, 3})},
       "conv \"x\": weight has 64 input channels, input has 32"},
      {"conv_group_channels",
       Conv3x3(4),
       {image, F32({16, 4, 3, 3})},
       "conv \"x\": weight has 4 input channels in each of 4 groups, input has 32"},
      {"conv_group",
       Conv3x3(3),
       {image, F32({16, 4, 3, 3})},
       "conv \"x\": weight has 16 output channels, expected a multiple of group 3"},
      {"conv_kernel",
       Conv3x3(),
       {image, F32({16, 32, 5, 5})},
       "conv \"x\": weight has a 5x5 kernel, expected 3x3"},
      {"conv_too_small",
       Conv3x3(),
       {F32({8, 32, 2, 14}), F32({16, 32, 3, 3})},
       "conv \"x\": a window of height 3 does not fit an input of 2 with padding 0 and 0"},
      {"conv_rank",
       Conv3x3(),
       {F32({8, 32}), F32({16, 32, 3, 3})},
       "conv \"x\": input is [8,32], expected rank 4"},
      {"conv_inputs", Conv3x3(), {image}, "conv \"x\": found 1 inputs, expected 2"},
      {"conv_bias",
       with_bias,
       {image, F32({16, 32, 1, 1}), F32({32})},
       "conv \"x\": bias is [32], expected [16]"},
      {"conv_residual",
       with_residual,
       {image, F32({16, 32, 1, 1}), image},
       "conv \"x\": residual is [8,32,14,14], expected [8,16,14,14]"},
      {"conv_stride",
       no_stride,
       {image, F32({16, 32, 1, 1})},
       "conv \"x\": window has kernel 1, stride 0 and dilation 1, expected at least 1"},
      {"conv_pad",
       negative_pad,
       {image, F32({16, 32, 1, 1})},
       "conv \"x\": padding is -1 and 0, expected at least 0"},
      {"conv_dtype",
       Conv3x3(),
       {image, {DType::kF64, {16, 32, 3, 3}}},
       "conv \"x\": input 1 is f64, input 0 is f32"},
      {"conv_slope",
       slope,
       {image, F32({16, 32, 1, 1})},
       "conv \"x\": the slope of leaky_relu is -1, expected at least 0"},
      {"conv_backward_data",
       ConvBackwardData{Conv3x3(), {8, 32, 14, 14}},
       {F32({8, 16, 14, 14}), F32({16, 32, 3, 3})},
       "conv_backward_data \"x\": output gradient is [8,16,14,14], expected [8,16,12,12]"},
      {"conv_backward_weights",
       ConvBackwardWeights{Conv3x3(), {16, 32, 3, 3}},
       {image, F32({8, 16, 14, 14})},
       "conv_backward_weights \"x\": output gradient is [8,16,14,14], expected [8,16,12,12]"},
      {"dense_features",
       Dense{},
       {F32({8, 100}), F32({10, 120})},
       "dense \"x\": weight has 120 input features, input has 100"},
      {"dense_backward_data",
       DenseBackwardData{},
       {F32({8, 10}), F32({12, 100})},
       "dense_backward_data \"x\": weight has 12 output features, the output gradient has 10"},
      {"dense_backward_weights",
       DenseBackwardWeights{},
       {F32({8, 100}), F32({7, 10})},
       "dense_backward_weights \"x\": input has 8 rows, the output gradient has 7"},
      {"bias_backward",
       BiasBackward{},
       {F32({8})},
       "bias_backward \"x\": output gradient is [8], expected rank 2 or more"},
      {"pool_only_padding",
       only_padding,
       {image},
       "pool \"x\": the window at output row 0 covers only padding"},
      {"pool_too_small",
       wide,
       {F32({8, 32, 14, 8})},
       "pool \"x\": a window of width 9 does not fit an input of 8 with padding 0 and 0"},
      {"pool_backward",
       PoolBackward{{PoolKind::kMax, {{2, 2}, {2, 2}}}, {8, 32, 14, 14}},
       {F32({8, 32, 7, 7})},
       "pool_backward \"x\": found 1 inputs, expected 2"},
      {"batch_norm",
       BatchNorm{},
       {image, F32({32}), F32({32}), F32({16}), F32({32})},
       "batch_norm \"x\": input 3 is [16], expected [32]"},
      {"update_statistics",
       UpdateStatistics{0.9f, 0},
       {F32({4}), F32({4}), F32({4}), F32({4})},
       "update_statistics \"x\": count is 0, expected at least 1"},
      {"add",
       Add{},
       {F32({8, 10}), F32({8, 11})},
       "add \"x\": the second input is [8,11], expected [8,10]"},
      {"clip",
       Activate{{Activation::kClip, 6, 0}},
       {image},
       "activate \"x\": the bounds of clip are 6 and 0, expected the lower one first"},
      {"reshape",
       Reshape{{0, 100}},
       {F32({8, 4, 5, 5, 2})},
       "reshape \"x\": dims are [0,100], input [8,4,5,5,2] has 1600 elements"},
      {"reshape_not_divisible",
       Reshape{{3, -1}},
       {F32({8, 4})},
       "reshape \"x\": dims are [3,-1], input [8,4] has 32 elements"},
      {"reshape_two_free",
       Reshape{{-1, -1}},
       {F32({8, 4})},
       "reshape \"x\": dims are [-1,-1], expected extents, 0, and -1 at most once"},
      {"reshape_missing_axis",
       Reshape{{-1, 1, 0}},
       {F32({8, 4})},
       "reshape \"x\": axis 2 keeps its extent, input [8,4] has none"},
      {"dropout_rate",
       Dropout{1.0f},
       {F32({8, 4})},
       "dropout \"x\": rate is 1, expected 0 or more and less than 1"},
      {"dropout_seed",
       Dropout{0.5f},
       {F32({8, 4}), F32({1}), I64({1})},
       "dropout \"x\": seed is f32, expected i64"},
      {"normalize_dtype",
       Normalize{},
       {image},
       "normalize \"x\": pixels is f32, expected u8",
       {0.5f, 0.5f}},
      {"normalize_constants",
       Normalize{},
       {{DType::kU8, {8, 5, 5, 3}}},
       "normalize \"x\": found 2 constants, expected 3 means and as many standard deviations",
       {0.5f, 0.5f}},
      {"normalize_zero",
       Normalize{},
       {{DType::kU8, {8, 5, 5, 1}}},
       "normalize \"x\": standard deviation 0, expected more than 0",
       {0.5f, 0}},
      {"softmax", Softmax{}, {image}, "softmax \"x\": input is [8,32,14,14], expected rank 2"},
      {"loss_targets",
       SoftmaxCrossEntropy{},
       {F32({8, 10}), F32({8, 9}), F32({8})},
       "softmax_cross_entropy \"x\": targets is [8,9], expected [8,10]"},
      {"loss_weights",
       SigmoidCrossEntropy{},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "sigmoid_cross_entropy \"x\": found 3 class weights, expected none or 10",
       {1, 2, 3}},
      {"loss_smoothing",
       SoftHammingLoss{1},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "soft_hamming_loss \"x\": label_smoothing is 1, expected 0 or more and less than 1"},
      {"loss_clip",
       SigmoidCrossEntropy{0, 0.5f},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "sigmoid_cross_entropy \"x\": clip is 0.5, expected 0 or more and less than 0.5"},
      {"loss_gamma",
       SoftmaxFocalLoss{0, -1},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "softmax_focal_loss \"x\": gamma is -1, expected 0 or more"},
      {"loss_alpha",
       SigmoidFocalLoss{0, 2, 1.5f},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "sigmoid_focal_loss \"x\": alpha is 1.5, expected 0 to 1"},
      {"loss_margin",
       AsymmetricLoss{0, 0, 4, 1},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "asymmetric_loss \"x\": margin is 1, expected 0 or more and less than 1"},
      {"loss_delta",
       RegressionLoss{Deviation::kHuber, 0},
       {F32({8, 10}), F32({8, 10}), F32({8})},
       "regression_loss \"x\": delta is 0, expected more than 0"},
      {"loss_backward",
       LossBackward{SoftmaxFocalLoss{0, -1}},
       {F32({8, 10}), F32({8, 10}), F32({8}), F32({1})},
       "loss_backward \"x\": gamma is -1, expected 0 or more"},
      {"pair_difference",
       PairDifference{},
       {F32({8, 5})},
       "pair_difference \"x\": input is [8,5], expected two columns a label"},
      {"sgd_decayed",
       SgdMomentum{0.9f, false, {.decayed = 33}},
       {F32({32}), F32({32}), F32({32}), F32({1})},
       "sgd_momentum \"x\": weight decay applies to the first 33 elements, the region has 32"},
      {"sgd_slot",
       SgdMomentum{},
       {F32({32}), F32({32}), F32({16}), F32({1})},
       "sgd_momentum \"x\": a slot is [16], expected [32]"},
      {"adam_step",
       Adam{},
       {F32({4}), F32({4}), F32({4}), F32({4}), F32({1}), F32({1})},
       "adam \"x\": step is f32, expected i64"},
      {"update_scale",
       Lion{0.9f, 0.99f, {.scaled = true}},
       {F32({4}), F32({4}), F32({4}), F32({1}), F32({4})},
       "lion \"x\": scale is [4], expected [1]"},
      {"update_inputs",
       AdagradDa{},
       {F32({4}), F32({4}), F32({4}), F32({4}), F32({1})},
       "adagrad_da \"x\": found 5 inputs, expected 7"},
      {"norm_scale",
       NormScale{0},
       {F32({4})},
       "norm_scale \"x\": the largest norm is 0, expected more than 0"},
      {"sum_gradients",
       SumGradients{0},
       {F32({4}), F32({4}), {DType::kI64, {1}}},
       "sum_gradients \"x\": the sum is over 0 batches, expected at least 1"},
      {"moving_average",
       MovingAverage{},
       {F32({4}), F32({8}), F32({1})},
       "moving_average \"x\": average is [8], expected [4]"},
      {"cast",
       Cast{DType::kU8},
       {image},
       "cast \"x\": the target is u8, expected a floating-point type"},
  };
}

class OpInfer : public testing::TestWithParam<InferCase> {};

TEST_P(OpInfer, SaysWhatWasFoundAndExpected) {
  const Node node = {"x", GetParam().attrs, {}, {}, GetParam().constants};
  const auto types = InferTypes(node, GetParam().inputs);
  ASSERT_FALSE(types.ok());
  EXPECT_EQ(types.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(types.status().message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Cases, OpInfer, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

TEST(OpInferTypes, NameTheInputsOfAGraph) {
  Graph graph;
  const ValueId x = graph.AddInput("x", F32({8, 32, 14, 14}));
  const ValueId w = graph.AddParameter("layer3.0.weight", {16, 64, 3, 3});
  const auto y = graph.Add("layer3.0", Conv3x3(), {x, w});
  EXPECT_EQ(y.status().message(),
            "conv \"layer3.0\": weight has 64 input channels, input has 32 (inputs: \"x\" "
            "f32[8,32,14,14], \"layer3.0.weight\" f32[16,64,3,3])");
}

struct ExtentCase {
  int32_t kernel, stride, before, after;
  int64_t extent;
  int64_t floor, ceil;
};

TEST(OpInferTypes, OfPoolsRoundAsAsked) {
  for (const ExtentCase& c : std::vector<ExtentCase>{
           {2, 2, 0, 0, 7, 3, 4},
           {3, 2, 0, 0, 8, 3, 4},
           {3, 2, 1, 1, 8, 4, 5},
           {2, 2, 1, 1, 5, 3, 3},  // a fourth window would start in the padding behind
           {2, 3, 0, 0, 8, 3, 3},
           {1, 2, 0, 0, 6, 3, 3},  // a fourth would start beyond the input
       }) {
    Pool pool;
    pool.window = {{1, c.kernel}, {1, c.stride}, {1, 1}, {0, c.before, 0, c.after}};
    const std::vector<Type> inputs = {F32({1, 1, 1, c.extent})};
    EXPECT_EQ((*InferTypes({"pool", pool, {}, {}, {}}, inputs))[0].dims[3], c.floor);
    pool.ceil = true;
    EXPECT_EQ((*InferTypes({"pool", pool, {}, {}, {}}, inputs))[0].dims[3], c.ceil);
  }
}

}  // namespace
}  // namespace fovea
