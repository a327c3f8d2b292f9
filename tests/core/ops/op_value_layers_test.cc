// Values of activations and channel-wise layers, worked out by hand or by their papers' formulas;
// and what their shape rules refuse.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/op_def.h"
#include "core/ops/activation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/ops/run_op.h"

namespace fovea {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// Of the first output.
std::vector<double> ValuesOf(Attrs attrs, const std::vector<const Tensor*>& inputs) {
  return Elements(RunOp(std::move(attrs), inputs)[0]);
}

std::string ErrorOf(Attrs attrs, const std::vector<Dims>& inputs) {
  std::vector<Type> types;
  for (const Dims& dims : inputs) types.push_back({DType::kF32, dims});
  return std::string(InferTypes({"op", attrs, {}, {}, {}}, types).status().message());
}

// ---- Activations.

struct Point {
  ActivationSpec activation;
  double x, y;
};

TEST(ActivationValues, AreThoseOfTheirPapers) {
  const double e = std::exp(-1.0);
  const std::vector<Point> points = {
      {{Activation::kElu, 2}, -1, 2 * (e - 1)},
      {{Activation::kElu, 2}, 3, 3},
      {{Activation::kSelu}, -1, 1.0507009873554805 * 1.6732632423543772 * (e - 1)},
      {{Activation::kSelu}, 2, 2 * 1.0507009873554805},
      {{Activation::kGelu}, 1, 0.8413447460685429},  // Φ(1)
      {{Activation::kGelu}, -1, -0.15865525393145707},
      {{Activation::kGelu}, -40, 0},
      {{Activation::kSilu}, 1, 1 / (1 + e)},
      {{Activation::kSilu}, -1000, 0},
      {{Activation::kHardSigmoid, 1.0f / 6, 0.5f}, 1, 2.0 / 3},
      {{Activation::kHardSigmoid, 1.0f / 6, 0.5f}, -3.5, 0},
      {{Activation::kHardSigmoid, 1.0f / 6, 0.5f}, 3.5, 1},
      {{Activation::kHardSwish}, 1, 2.0 / 3},
      {{Activation::kHardSwish}, -4, 0},
      {{Activation::kHardSwish}, 4, 4},
      {{Activation::kSoftplus}, 0, std::log(2.0)},
      {{Activation::kSoftplus}, 800, 800},
      {{Activation::kSoftplus}, -1, std::log1p(e)},
  };
  for (const Point& point : points) {
    const Tensor x = Doubles({1}, {point.x});
    EXPECT_THAT(ValuesOf(Activate{point.activation}, {&x}), ElementsAre(DoubleNear(point.y, 1e-6)))
        << AttrsToText(Activate{point.activation}) << " at " << point.x;
  }
}

// The mean of SELU over the standard normal is 0 and its variance 1: what it was made for.
TEST(ActivationValues, OfSeluKeepMeanAndVariance) {
  double mean = 0, square = 0, weight = 0;
  for (double x = -9; x <= 9; x += 1e-3) {
    const double density = std::exp(-x * x / 2);
    const double y = ops::ApplyActivation<double>({Activation::kSelu}, x);
    mean += density * y;
    square += density * y * y;
    weight += density;
  }
  EXPECT_NEAR(mean / weight, 0, 1e-5);
  EXPECT_NEAR(square / weight, 1, 1e-5);
}

// ---- Layers.

TEST(ConvTransposeValues, SpreadEachPixelOverTheKernel) {
  const Tensor x = Doubles({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor ones = Doubles({1, 1, 2, 2}, {1, 1, 1, 1});
  EXPECT_THAT(ValuesOf(ConvTranspose{{{2, 2}, {2, 2}}}, {&x, &ones}),
              ElementsAre(1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4));
  // 1x2 taps at stride 1 overlap; output padding is a column that nothing reaches but the bias.
  const Tensor row = Doubles({1, 1, 1, 2}, {1, 2}), taps = Doubles({1, 1, 1, 2}, {10, 100});
  EXPECT_THAT(ValuesOf(ConvTranspose{{{1, 2}}}, {&row, &taps}), ElementsAre(10, 120, 200));
  const Tensor bias = Doubles({1}, {0.5});
  EXPECT_THAT(ValuesOf(ConvTranspose{{{1, 2}, {1, 3}}, 1, {0, 1}, true}, {&row, &taps, &bias}),
              ElementsAre(10.5, 100.5, 0.5, 20.5, 200.5, 0.5));
}

TEST(GroupNormValues, HaveMeanZeroAndVarianceOneInEachGroup) {
  const Tensor x = Doubles({1, 4, 1, 1}, {1, 3, 10, 20});
  const Tensor scale = Doubles({4}, {1, 1, 2, 2}), shift = Doubles({4}, {0, 0, 5, 5});
  EXPECT_THAT(ValuesOf(GroupNorm{2, 1e-30f}, {&x, &scale, &shift}),
              ElementsAre(DoubleNear(-1, 1e-9), DoubleNear(1, 1e-9), DoubleNear(3, 1e-9),
                          DoubleNear(7, 1e-9)));
}

TEST(LocalResponseNormValues, DivideByTheSumsOfTheirNeighbours) {
  const Tensor x = Doubles({1, 3, 1, 1}, {1, 2, 3});
  EXPECT_THAT(ValuesOf(LocalResponseNorm{3, 3, 1, 1}, {&x}),
              ElementsAre(DoubleNear(1.0 / 6, 1e-12), DoubleNear(2.0 / 15, 1e-12),
                          DoubleNear(3.0 / 14, 1e-12)));
}

TEST(ChannelValues, OfGatesConcatSliceAndPRelu) {
  const Tensor a = Doubles({1, 2, 1, 2}, {1, 2, 3, 4}), gate = Doubles({1, 2, 1, 1}, {10, 100});
  EXPECT_THAT(ValuesOf(Mul{}, {&a, &gate}), ElementsAre(10, 20, 300, 400));
  EXPECT_THAT(ValuesOf(GateBackward{}, {&a, &a}), ElementsAre(5, 25));
  const Tensor b = Doubles({1, 1, 1, 2}, {7, 8});
  EXPECT_THAT(ValuesOf(Concat{}, {&a, &b}), ElementsAre(1, 2, 3, 4, 7, 8));
  EXPECT_THAT(ValuesOf(SliceChannels{1, 1}, {&a}), ElementsAre(3, 4));
  const Tensor x = Doubles({1, 2, 1, 2}, {-1, 2, -3, 4}), slope = Doubles({2}, {0.5, 2});
  EXPECT_THAT(ValuesOf(PRelu{}, {&x, &slope}), ElementsAre(-0.5, 2, -6, 4));
}

TEST(PoolValues, OfL2AreRootsOfSumsOfSquares) {
  const Tensor x = Doubles({1, 1, 2, 2}, {3, -4, 0, 0});
  EXPECT_THAT(ValuesOf(Pool{PoolKind::kL2, {{1, 2}, {1, 2}}}, {&x}), ElementsAre(5, 0));
}

TEST(DropoutValues, OfWholeExamplesAreAllOrNothing) {
  constexpr int64_t kExamples = 2000;
  const Tensor x = Doubles({kExamples, 2, 2, 1}, std::vector<double>(kExamples * 4, 1.0));
  Tensor seed({DType::kI64, {1}}), step({DType::kI64, {1}});
  *seed.as<int64_t>() = 5;
  const std::vector<double> y = ValuesOf(Dropout{0.25f, 3, true}, {&x, &seed, &step});
  int64_t kept = 0;
  for (int64_t n = 0; n < kExamples; ++n) {
    const std::vector<double> example(y.begin() + 4 * n, y.begin() + 4 * n + 4);
    EXPECT_THAT(example, Each(example[0]));
    EXPECT_TRUE(example[0] == 0 || std::abs(example[0] - 4.0 / 3) < 1e-12);
    kept += example[0] > 0;
  }
  EXPECT_NEAR(static_cast<double>(kept) / kExamples, 0.75, 0.04);
  EXPECT_EQ(y, ValuesOf(Dropout{0.25f, 3, true}, {&x, &seed, &step}));
  *step.as<int64_t>() = 1;
  EXPECT_NE(y, ValuesOf(Dropout{0.25f, 3, true}, {&x, &seed, &step}));
}

// ---- Shapes.

TEST(LayerShapes, AreRefusedWithWhatWasFoundAndExpected) {
  const Dims x = {2, 6, 4, 4};
  EXPECT_THAT(ErrorOf(ConvTranspose{{{2, 2}, {2, 2}}, 1, {2, 0}}, {x, {6, 4, 2, 2}}),
              HasSubstr("output padding is 2, expected 0 to less than the stride, 2"));
  EXPECT_THAT(ErrorOf(ConvTranspose{{{2, 2}}}, {x, {5, 4, 2, 2}}),
              HasSubstr("weight has 5 input channels in 1 groups, input has 6"));
  EXPECT_THAT(ErrorOf(ConvTranspose{{{1, 1}, {1, 1}, {1, 1}, {2, 2, 2, 2}}}, {x, {6, 4, 1, 1}}),
              HasSubstr("the output's height would be 0, expected at least 1"));
  EXPECT_THAT(ErrorOf(GroupNorm{4}, {x, {6}, {6}}),
              HasSubstr("input has 6 channels, expected a multiple of the 4 groups"));
  EXPECT_THAT(ErrorOf(Concat{}, {x}), HasSubstr("found 1 inputs, expected at least 2"));
  EXPECT_THAT(ErrorOf(Concat{}, {x, {2, 6, 4, 5}}),
              HasSubstr("input 1 is [2,6,4,5], expected [2,6,4,4]"));
  EXPECT_THAT(ErrorOf(Mul{}, {x, {2, 5, 1, 1}}),
              HasSubstr("the gate is [2,5,1,1], expected [2,6,1,1]"));
  EXPECT_THAT(ErrorOf(PRelu{}, {x, {5}}), HasSubstr("slope is [5], expected [6]"));
  EXPECT_THAT(ErrorOf(SliceChannels{4, 3}, {x}), HasSubstr("channels 4 to 7, input has 6"));
  EXPECT_THAT(ErrorOf(LocalResponseNorm{4}, {x}),
              HasSubstr("size is 4, expected an odd number of channels"));
  EXPECT_THAT(ErrorOf(Activate{{Activation::kElu, 0}}, {x}),
              HasSubstr("alpha of elu is 0, expected above 0"));
}

}  // namespace
}  // namespace fovea
