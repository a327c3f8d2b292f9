// Values worked out by hand, or by another formula than the op's.
#include <cmath>
#include <vector>

#include "core/base/random.h"
#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/ops/run_op.h"

namespace fovea {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

// ---- Convolution and pooling.

TEST(ConvValues, CorrelateWithoutFlipping) {
  const Tensor x = Doubles({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Tensor w = Doubles({1, 1, 2, 2}, {1, 10, 100, 1000});
  const Tensor b = Doubles({1}, {0.5});
  Conv conv;
  conv.window.kernel = {2, 2};
  conv.has_bias = true;
  EXPECT_THAT(Elements(RunOp(conv, {&x, &w, &b})[0]), ElementsAre(5421.5, 6532.5, 8754.5, 9865.5));
}

TEST(ConvValues, TakePaddingInTheOrderTopLeftBottomRight) {
  const Tensor x = Doubles({1, 1, 1, 2}, {1, 2});
  const Tensor w = Doubles({1, 1, 2, 1}, {10, 1});
  Conv conv;
  conv.window = {{2, 1}, {1, 1}, {1, 1}, {1, 0, 0, 1}};
  // Rows: padding above x; columns: x and one column of padding on the right.
  EXPECT_THAT(Elements(RunOp(conv, {&x, &w})[0]), ElementsAre(1, 2, 0));
}

TEST(ConvValues, KeepGroupsApart) {
  const Tensor x = Doubles({1, 4, 1, 1}, {1, 10, 100, 1000});
  const Tensor w = Doubles({2, 2, 1, 1}, {1, 2, 3, 4});
  Conv conv;
  conv.group = 2;
  EXPECT_THAT(Elements(RunOp(conv, {&x, &w})[0]), ElementsAre(21, 4300));
}

TEST(PoolValues, RememberWhereTheMaximumWas) {
  const Tensor x = Doubles({1, 1, 2, 4}, {1, 5, 2, 0, 3, 4, 9, 9});
  Pool pool;
  pool.window = {{2, 2}, {2, 2}};
  pool.training = true;
  const auto y = RunOp(pool, {&x});
  EXPECT_THAT(Elements(y[0]), ElementsAre(5, 9));
  EXPECT_EQ(y[1].as<int32_t>()[0], 1);
  EXPECT_EQ(y[1].as<int32_t>()[1], 6);  // the first of equals
}

TEST(PoolValues, CountPaddingOnlyWhenAsked) {
  const Tensor x = Doubles({1, 1, 1, 3}, {3, 6, 9});
  Pool pool = {PoolKind::kAverage, {{1, 3}, {1, 2}, {1, 1}, {0, 1, 0, 1}}};
  EXPECT_THAT(Elements(RunOp(pool, {&x})[0]), ElementsAre(4.5, 7.5));
  pool.count_include_pad = true;
  EXPECT_THAT(Elements(RunOp(pool, {&x})[0]), ElementsAre(3, 5));
}

// The window that hangs over the padded input counts up to the padding's end, as in PyTorch.
TEST(PoolValues, CountOnlyUpToThePaddedExtentWhenRoundedUp) {
  const Tensor x = Doubles({1, 1, 1, 4}, {1, 2, 3, 4});
  Pool pool = {PoolKind::kAverage, {{1, 3}, {1, 2}, {1, 1}, {0, 0, 0, 1}}};
  pool.ceil = true;
  pool.count_include_pad = true;
  EXPECT_THAT(Elements(RunOp(pool, {&x})[0]), ElementsAre(2, 7.0 / 3));
  pool.window.pad = {0, 0, 0, 0};
  EXPECT_THAT(Elements(RunOp(pool, {&x})[0]), ElementsAre(2, 3.5));
}

TEST(PoolValues, AverageTheWholePlane) {
  const Tensor x = Doubles({1, 2, 1, 2}, {1, 3, 10, 30});
  Pool pool = {PoolKind::kAverage};
  pool.global = true;
  EXPECT_THAT(Elements(RunOp(pool, {&x})[0]), ElementsAre(2, 20));
}

// ---- Batch norm.

TEST(BatchNormValues, HaveTheMomentsOfTheBatch) {
  const Tensor x = Doubles({2, 1, 1, 2}, {1, 2, 3, 6});
  const Tensor scale = Doubles({1}, {2}), shift = Doubles({1}, {-1});
  const auto outputs = RunOp(BatchNormTraining{0, true}, {&x, &scale, &shift});
  EXPECT_THAT(Elements(outputs[1]), ElementsAre(3));
  EXPECT_THAT(Elements(outputs[2]), ElementsAre(3.5));  // biased
  const double last = 2 * 3 / std::sqrt(3.5) - 1;
  EXPECT_THAT(Elements(outputs[0]), ElementsAre(0, 0, 0, DoubleNear(last, 1e-12)));
  EXPECT_EQ(outputs[3].as<uint8_t>()[2], 0);
  EXPECT_EQ(outputs[3].as<uint8_t>()[3], 1);
}

TEST(BatchNormValues, RunTowardsTheUnbiasedVariance) {
  const Tensor mean = Doubles({1}, {3}), variance = Doubles({1}, {3.5});
  const Tensor old_mean = Doubles({1}, {1}), old_variance = Doubles({1}, {1});
  const auto outputs =
      RunOp(UpdateStatistics{0.75f, 4}, {&mean, &variance, &old_mean, &old_variance});
  EXPECT_THAT(Elements(outputs[0]), ElementsAre(DoubleNear(0.75 + 0.25 * 3, 1e-12)));
  EXPECT_THAT(Elements(outputs[1]), ElementsAre(DoubleNear(0.75 + 0.25 * 14 / 3, 1e-12)));
}

TEST(BatchNormValues, FoldIntoTheConvolutionBefore) {
  Random random(3);
  const auto draw = [&](Dims dims) {
    Tensor tensor({DType::kF64, dims});
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.as<double>()[i] = 0.5 + random.Uniform();
    return tensor;
  };
  const Tensor x = draw({2, 3, 5, 5}), w = draw({4, 3, 3, 3}), bias = draw({4});
  const Tensor scale = draw({4}), shift = draw({4}), mean = draw({4}), variance = draw({4});
  Conv conv;
  conv.window.kernel = {3, 3};
  conv.has_bias = true;
  const Tensor y = std::move(RunOp(conv, {&x, &w, &bias})[0]);
  const Tensor expected = std::move(RunOp(BatchNorm{}, {&y, &scale, &shift, &mean, &variance})[0]);
  const auto folded =
      RunOp(FoldBatchNorm{1e-5f, true}, {&w, &scale, &shift, &mean, &variance, &bias});
  const Tensor actual = std::move(RunOp(conv, {&x, &folded[0], &folded[1]})[0]);
  EXPECT_THAT(Elements(actual), Pointwise(Near(1e-11), Elements(expected)));
}

// ---- Losses.

double LogSumExp(const std::vector<double>& z) {
  double sum = 0;
  for (double value : z) sum += std::exp(value);
  return std::log(sum);
}

TEST(LossValues, AreLogSumExpMinusTheLogitOfTheClass) {
  const Tensor z = Doubles({2, 3}, {1, 2, 3, -1, 0, 0.5});
  const Tensor t = Doubles({2, 3}, {0, 1, 0, 0, 0, 1});
  const Tensor w = Doubles({2}, {1, 3});
  const double first = LogSumExp({1, 2, 3}) - 2, second = LogSumExp({-1, 0, 0.5}) - 0.5;
  auto outputs = RunOp(SoftmaxCrossEntropy{}, {&z, &t, &w});
  EXPECT_NEAR(*outputs[0].as<double>(), (first + 3 * second) / 4, 1e-12);
  EXPECT_NEAR(outputs[1].as<double>()[0], std::exp(1 - LogSumExp({1, 2, 3})), 1e-12);
  // Class weights stand in the divisor too.
  outputs = RunOp(SoftmaxCrossEntropy{}, {&z, &t, &w}, {1, 2, 5});
  EXPECT_NEAR(*outputs[0].as<double>(), (2 * first + 15 * second) / 17, 1e-12);
}

TEST(LossValues, AreBinaryCrossEntropies) {
  const Tensor z = Doubles({1, 2}, {0.3, -2});
  const Tensor t = Doubles({1, 2}, {1, 0.25});
  const Tensor w = Doubles({1}, {7});
  const double p = 1 / (1 + std::exp(-0.3)), q = 1 / (1 + std::exp(2.0));
  const double first = -std::log(p), second = -0.25 * std::log(q) - 0.75 * std::log(1 - q);
  auto outputs = RunOp(SigmoidCrossEntropy{}, {&z, &t, &w});
  EXPECT_NEAR(*outputs[0].as<double>(), (first + second) / 2, 1e-12);
  EXPECT_THAT(Elements(outputs[1]), ElementsAre(DoubleNear(p, 1e-12), DoubleNear(q, 1e-12)));
  outputs = RunOp(SigmoidCrossEntropy{}, {&z, &t, &w}, {4, 1});
  EXPECT_NEAR(*outputs[0].as<double>(), (4 * first + second) / 2, 1e-12);
}

TEST(LossValues, AreZeroWithoutWeight) {
  const Tensor z = Doubles({1, 2}, {1, 2}), t = Doubles({1, 2}, {0, 1}), w = Doubles({1}, {0});
  EXPECT_EQ(*RunOp(SoftmaxCrossEntropy{}, {&z, &t, &w})[0].as<double>(), 0);
  EXPECT_EQ(*RunOp(SigmoidCrossEntropy{}, {&z, &t, &w})[0].as<double>(), 0);
}

TEST(LossValues, SurviveLogitsThatOverflowExp) {
  const Tensor z = Doubles({1, 2}, {10000, -10000}), t = Doubles({1, 2}, {0, 1});
  const Tensor w = Doubles({1}, {1});
  EXPECT_EQ(*RunOp(SoftmaxCrossEntropy{}, {&z, &t, &w})[0].as<double>(), 20000);
  EXPECT_EQ(*RunOp(SigmoidCrossEntropy{}, {&z, &t, &w})[0].as<double>(), 10000);
}

// ---- Updates.

TEST(UpdateValues, OfAdamsFirstStepAreTheSignTimesTheRate) {
  const Tensor p = Doubles({3}, {1, 2, 3}), g = Doubles({3}, {0.5, -4, 0});
  const Tensor m = Doubles({3}, {0, 0, 0}), v = Doubles({3}, {0, 0, 0});
  const Tensor rate = Doubles({1}, {0.01}), step = Integer(0);
  const auto outputs = RunOp(Adam{}, {&p, &g, &m, &v, &rate, &step});
  EXPECT_THAT(Elements(outputs[0]), Pointwise(Near(1e-9), {0.99, 2.01, 3.0}));
  EXPECT_THAT(Elements(outputs[1]), Pointwise(Near(1e-7), {0.05, -0.4, 0.0}));
  EXPECT_THAT(Elements(outputs[2]), Pointwise(Near(1e-6), {0.00025, 0.016, 0.0}));
}

TEST(UpdateValues, OfSgdGatherInTheVelocity) {
  const Tensor p = Doubles({2}, {1, 1}), g = Doubles({2}, {2, 2}), v = Doubles({2}, {4, 4});
  const Tensor rate = Doubles({1}, {0.125});
  // Decay applies to the first element only: g = 2 + 0.5 · 1.
  const UpdateTerms half = {.weight_decay = 0.5f, .decayed = 1};
  auto outputs = RunOp(SgdMomentum{0.5f, false, half}, {&p, &g, &v, &rate});
  EXPECT_THAT(Elements(outputs[1]), ElementsAre(4.5, 4));
  EXPECT_THAT(Elements(outputs[0]), ElementsAre(1 - 4.5 / 8, 0.5));
  outputs = RunOp(SgdMomentum{0.5f, true, half}, {&p, &g, &v, &rate});
  EXPECT_THAT(Elements(outputs[0]), ElementsAre(1 - (2.5 + 0.5 * 4.5) / 8, 1 - (2 + 2.0) / 8));
}

// ---- The rest.

TEST(DropoutValues, KeepAShareAndItsMean) {
  Tensor x({DType::kF64, {100, 100}});
  std::fill_n(x.as<double>(), x.count(), 1.0);
  const Tensor seed = Integer(5), step = Integer(9), next = Integer(10);
  const auto y = Elements(RunOp(Dropout{0.25f, 3}, {&x, &seed, &step})[0]);
  double kept = 0;
  for (double value : y) {
    ASSERT_TRUE(value == 0 || std::abs(value - 4.0 / 3) < 1e-12) << value;
    kept += value != 0;
  }
  EXPECT_NEAR(kept / 10000, 0.75, 0.02);
  EXPECT_EQ(Elements(RunOp(Dropout{0.25f, 3}, {&x, &seed, &step})[0]), y);
  EXPECT_NE(Elements(RunOp(Dropout{0.25f, 3}, {&x, &seed, &next})[0]), y);
  EXPECT_NE(Elements(RunOp(Dropout{0.25f, 4}, {&x, &seed, &step})[0]), y);
}

TEST(NormalizeValues, PutChannelsFirst) {
  Tensor pixels({DType::kU8, {1, 1, 2, 2}});
  const std::vector<uint8_t> bytes = {0, 255, 51, 102};
  std::copy(bytes.begin(), bytes.end(), pixels.as<uint8_t>());
  const auto y = Elements(RunOp(Normalize{DType::kF64}, {&pixels}, {0.5f, 0.25f, 0.25f, 0.5f})[0]);
  EXPECT_THAT(y, Pointwise(Near(1e-12), {-2.0, -1.2, 1.5, 0.3}));
}

TEST(ActivationValues, AreThoseOfTheFormulas) {
  const Tensor x = Doubles({1, 4}, {-800, -1, 2, 800});
  const auto values = [&](ActivationSpec activation) {
    return Elements(RunOp(Activate{activation}, {&x})[0]);
  };
  EXPECT_THAT(values({Activation::kRelu}), ElementsAre(0, 0, 2, 800));
  EXPECT_THAT(values({Activation::kLeakyRelu, 0.5f}), ElementsAre(-400, -0.5, 2, 800));
  EXPECT_THAT(values({Activation::kClip, 0, 6}), ElementsAre(0, 0, 2, 6));
  EXPECT_THAT(values({Activation::kTanh}),
              Pointwise(Near(1e-15), {-1.0, std::tanh(-1.0), std::tanh(2.0), 1.0}));
  EXPECT_THAT(values({Activation::kSigmoid}),
              Pointwise(Near(1e-15), {0.0, 1 / (1 + std::exp(1)), 1 / (1 + std::exp(-2)), 1.0}));
}

TEST(Flops, CountTwoAMultiplyAddAndThreeForwardsATrainingStep) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {2, 8, 9, 9}});
  const ValueId w = graph.AddParameter("w", {16, 4, 3, 3});
  Conv conv;
  conv.window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  conv.group = 2;
  const ValueId y = *graph.Add1("conv", conv, {x, w});
  const double forward = 2.0 * (2 * 16 * 5 * 5) * (4 * 3 * 3);
  EXPECT_EQ(GraphFlops(graph), forward);
  ASSERT_TRUE(graph.Add("dx", ConvBackwardData{conv, graph.type(x).dims}, {y, w}).ok());
  ASSERT_TRUE(graph.Add("dw", ConvBackwardWeights{conv, graph.type(w).dims}, {x, y}).ok());
  EXPECT_EQ(GraphFlops(graph), 3 * forward);
}

TEST(Flops, OfDenseAreThreeForwardsATrainingStep) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {5, 7}});
  const ValueId w = graph.AddParameter("w", {3, 7});
  const ValueId y = *graph.Add1("dense", Dense{}, {x, w});
  EXPECT_EQ(GraphFlops(graph), 2.0 * 5 * 7 * 3);
  ASSERT_TRUE(graph.Add("dx", DenseBackwardData{}, {y, w}).ok());
  ASSERT_TRUE(graph.Add("dw", DenseBackwardWeights{}, {x, y}).ok());
  EXPECT_EQ(GraphFlops(graph), 3 * 2.0 * 5 * 7 * 3);
}

}  // namespace
}  // namespace fovea
