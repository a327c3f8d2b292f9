// The losses against their definitions as the papers write them, on probabilities.
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/ops/run_op.h"

namespace fovea {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

Attrs AttrsOf(const Loss& loss) {
  return std::visit([](const auto& op) { return Attrs(op); }, loss);
}

std::vector<Tensor> RunLoss(const Loss& loss, const Tensor& z, const Tensor& t, const Tensor& w,
                            std::vector<float> k = {}) {
  return RunOp(AttrsOf(loss), {&z, &t, &w}, std::move(k));
}

double ValueOf(const Loss& loss, const Tensor& z, const Tensor& t, const Tensor& w,
               std::vector<float> k = {}) {
  return *RunLoss(loss, z, t, w, std::move(k))[0].as<double>();
}

std::vector<double> Slopes(const Loss& loss, const Tensor& z, const Tensor& t, const Tensor& w,
                           std::vector<float> k = {}) {
  const Tensor dloss = Doubles({1}, {1});
  return Elements(RunOp(LossBackward{loss}, {&z, &t, &w, &dloss}, std::move(k))[0]);
}

Tensor Drawn(Dims dims, double from, double to, uint64_t seed) {
  Random random(seed);
  Tensor tensor({DType::kF64, dims});
  for (int64_t i = 0; i < tensor.count(); ++i) {
    tensor.as<double>()[i] = from + (to - from) * random.Uniform();
  }
  return tensor;
}

constexpr int kRows = 5, kColumns = 4;
const std::vector<float>& Weights() {
  static const auto* weights = new std::vector<float>{0.5f, 1, 2, 3};
  return *weights;
}

// ---- Over a distribution.

struct ClassDefinition {
  std::string name;
  Loss loss;
  double smoothing;
  std::function<double(double p)> f;
};

std::vector<ClassDefinition> ClassDefinitions() {
  return {
      {"cross_entropy", SoftmaxCrossEntropy{}, 0, [](double p) { return -std::log(p); }},
      {"smoothed", SoftmaxCrossEntropy{0.25f}, 0.25, [](double p) { return -std::log(p); }},
      {"clipped", SoftmaxCrossEntropy{0, 0.125f}, 0,
       [](double p) { return -std::log(std::min(std::max(p, 0.125), 0.875)); }},
      {"focal", SoftmaxFocalLoss{}, 0, [](double p) { return -(1 - p) * (1 - p) * std::log(p); }},
      {"smoothed_focal", SoftmaxFocalLoss{0.5f, 0.5f}, 0.5,
       [](double p) { return -std::sqrt(1 - p) * std::log(p); }},
  };
}

// Rows that sum to 1.
Tensor Distributions(uint64_t seed) {
  Tensor t = Drawn({kRows, kColumns}, 0, 1, seed);
  for (int i = 0; i < kRows; ++i) {
    double* row = t.as<double>() + i * kColumns;
    double sum = 0;
    for (int c = 0; c < kColumns; ++c) sum += row[c];
    for (int c = 0; c < kColumns; ++c) row[c] /= sum;
  }
  return t;
}

double Defined(const ClassDefinition& definition, const Tensor& z, const Tensor& t,
               const Tensor& w) {
  double sum = 0, divisor = 0;
  for (int i = 0; i < kRows; ++i) {
    double exps = 0;
    for (int c = 0; c < kColumns; ++c) exps += std::exp(z.as<double>()[i * kColumns + c]);
    for (int c = 0; c < kColumns; ++c) {
      const double p = std::exp(z.as<double>()[i * kColumns + c]) / exps;
      const double target = t.as<double>()[i * kColumns + c];
      const double s = definition.smoothing, weight = w.as<double>()[i] * Weights()[c];
      sum += weight * ((1 - s) * target + s / kColumns) * definition.f(p);
      divisor += weight * target;
    }
  }
  return sum / divisor;
}

TEST(LossDefinitions, HoldOverDistributions) {
  for (const ClassDefinition& definition : ClassDefinitions()) {
    const Tensor z = Drawn({kRows, kColumns}, -3, 3, 1), t = Distributions(2);
    const Tensor w = Drawn({kRows}, 0.5, 2, 3);
    EXPECT_NEAR(ValueOf(definition.loss, z, t, w, Weights()), Defined(definition, z, t, w), 1e-13)
        << definition.name;
  }
}

// ---- Label by label.

struct LabelDefinition {
  std::string name;
  Loss loss;
  double smoothing;
  bool sigmoid;
  std::function<double(double p, double t)> f;
};

double Entropy(double p, double t) { return -t * std::log(p) - (1 - t) * std::log(1 - p); }

double Asymmetric(double p, double t, double plus, double minus, double margin) {
  const double shifted = std::max(p - margin, 0.0);
  const double one = std::pow(1 - p, plus) * std::log(p);
  const double zero = std::pow(shifted, minus) * std::log(1 - shifted);
  return -t * one - (1 - t) * zero;
}

double Huber(double e, double delta) {
  return std::abs(e) <= delta ? e * e / 2 : delta * (std::abs(e) - delta / 2);
}

std::vector<LabelDefinition> LabelDefinitions() {
  return {
      {"cross_entropy", SigmoidCrossEntropy{}, 0, true, Entropy},
      {"smoothed", SigmoidCrossEntropy{0.25f}, 0.25, true, Entropy},
      {"clipped", SigmoidCrossEntropy{0, 0.125f}, 0, true,
       [](double p, double t) { return Entropy(std::min(std::max(p, 0.125), 0.875), t); }},
      {"focal", SigmoidFocalLoss{}, 0, true,
       [](double p, double t) {
         return -0.25 * t * std::pow(1 - p, 2) * std::log(p) -
                0.75 * (1 - t) * p * p * std::log(1 - p);
       }},
      {"smoothed_focal", SigmoidFocalLoss{0.5f, 0.5f, 1}, 0.5, true,
       [](double p, double t) { return -t * std::sqrt(1 - p) * std::log(p); }},
      {"asymmetric", AsymmetricLoss{0, 1, 4, 0.125f}, 0, true,
       [](double p, double t) { return Asymmetric(p, t, 1, 4, 0.125); }},
      {"asymmetric_without_margin", AsymmetricLoss{0, 0, 2, 0}, 0, true,
       [](double p, double t) { return Asymmetric(p, t, 0, 2, 0); }},
      {"soft_hamming", SoftHammingLoss{}, 0, true,
       [](double p, double t) { return t * (1 - p) + (1 - t) * p; }},
      {"squared", RegressionLoss{}, 0, false, [](double y, double t) { return (y - t) * (y - t); }},
      {"absolute", RegressionLoss{Deviation::kAbsolute}, 0, false,
       [](double y, double t) { return std::abs(y - t); }},
      {"huber", RegressionLoss{Deviation::kHuber, 0.5f}, 0, false,
       [](double y, double t) { return Huber(y - t, 0.5); }},
      {"squared_sigmoid", RegressionLoss{Deviation::kSquared, 1, true}, 0, true,
       [](double y, double t) { return (y - t) * (y - t); }},
      {"huber_sigmoid", RegressionLoss{Deviation::kHuber, 0.25f, true}, 0, true,
       [](double y, double t) { return Huber(y - t, 0.25); }},
  };
}

TEST(LossDefinitions, HoldLabelByLabelOverTheKnownOnes) {
  for (const LabelDefinition& definition : LabelDefinitions()) {
    const Tensor z = Drawn({kRows, kColumns}, -3, 3, 1), t = Drawn({kRows, kColumns}, 0, 1, 2);
    const Tensor w = Drawn({kRows}, 0.5, 2, 3);
    t.as<double>()[1] = t.as<double>()[14] = kUnknown;
    double sum = 0, divisor = 0;
    for (int i = 0; i < kRows * kColumns; ++i) {
      if (i == 1 || i == 14) continue;
      const double logit = z.as<double>()[i], weight = w.as<double>()[i / kColumns];
      const double p = definition.sigmoid ? 1 / (1 + std::exp(-logit)) : logit;
      const double s = definition.smoothing, target = (1 - s) * t.as<double>()[i] + s / 2;
      sum += weight * Weights()[i % kColumns] * definition.f(p, target);
      divisor += weight;
    }
    EXPECT_NEAR(ValueOf(definition.loss, z, t, w, Weights()), sum / divisor, 1e-13)
        << definition.name;
    const std::vector<double> slopes = Slopes(definition.loss, z, t, w, Weights());
    EXPECT_EQ(slopes[1], 0) << definition.name;
    EXPECT_EQ(slopes[14], 0) << definition.name;
  }
}

// ---- All.

std::vector<std::pair<std::string, Loss>> EveryLoss() {
  std::vector<std::pair<std::string, Loss>> losses;
  for (const auto& definition : ClassDefinitions()) {
    losses.emplace_back("softmax " + definition.name, definition.loss);
  }
  for (const auto& definition : LabelDefinitions()) {
    losses.emplace_back("sigmoid " + definition.name, definition.loss);
  }
  return losses;
}

TEST(Losses, StayFiniteAtLogitsThatOverflowExp) {
  for (const auto& [name, loss] : EveryLoss()) {
    for (const double size : {1e2, 1e4}) {
      const Tensor z = Doubles({2, 3}, {size, -size, 0, -size, size, size});
      const Tensor t = Doubles({2, 3}, {0, 1, 0, 1, 0, 0}), w = Doubles({2}, {1, 2});
      const double value = ValueOf(loss, z, t, w);
      EXPECT_TRUE(std::isfinite(value) && value > 0) << name << ": " << value;
      for (double slope : Slopes(loss, z, t, w)) EXPECT_TRUE(std::isfinite(slope)) << name;
    }
  }
}

// The loss of mixed targets (mixup) is the mix of the losses, label smoothing included.
TEST(Losses, AreLinearInTheTargetsOfALabel) {
  const Tensor z = Drawn({1, 3}, -2, 2, 4), w = Doubles({1}, {1});
  const Tensor a = Doubles({1, 3}, {1, 0, 0}), b = Doubles({1, 3}, {0, 0, 1});
  const Tensor mixed = Doubles({1, 3}, {0.75, 0, 0.25});
  for (const auto& [name, loss] : EveryLoss()) {
    if (std::holds_alternative<RegressionLoss>(loss)) continue;
    EXPECT_NEAR(ValueOf(loss, z, mixed, w),
                0.75 * ValueOf(loss, z, a, w) + 0.25 * ValueOf(loss, z, b, w), 1e-13)
        << name;
  }
}

TEST(Losses, TakeNothingFromExamplesWithoutWeight) {
  const Tensor z = Drawn({2, 3}, -2, 2, 4), t = Doubles({2, 3}, {1, 0, 0, 0, 1, 0});
  const Tensor both = Doubles({2}, {1, 0}), none = Doubles({2}, {0, 0}), one = Doubles({1}, {1});
  const Tensor z0 = Doubles({1, 3}, {z.as<double>()[0], z.as<double>()[1], z.as<double>()[2]});
  const Tensor t0 = Doubles({1, 3}, {1, 0, 0});
  for (const auto& [name, loss] : EveryLoss()) {
    EXPECT_NEAR(ValueOf(loss, z, t, both), ValueOf(loss, z0, t0, one), 1e-15) << name;
    EXPECT_EQ(ValueOf(loss, z, t, none), 0) << name;
  }
}

TEST(Losses, AreZeroWhereEveryLabelIsUnknown) {
  const Tensor z = Doubles({1, 2}, {1, 2}), t = Doubles({1, 2}, {kUnknown, kUnknown});
  const Tensor w = Doubles({1}, {1});
  EXPECT_EQ(ValueOf(SigmoidCrossEntropy{}, z, t, w), 0);
  EXPECT_THAT(Slopes(SigmoidCrossEntropy{}, z, t, w), testing::ElementsAre(0, 0));
}

// A clipped probability has no gradient, as the textbook form has it.
TEST(Losses, HaveNoSlopeWhereClipped) {
  const Tensor z = Doubles({1, 2}, {5, -5}), t = Doubles({1, 2}, {0, 1}), w = Doubles({1}, {1});
  EXPECT_THAT(Slopes(SoftmaxCrossEntropy{0, 0.01f}, z, t, w), testing::ElementsAre(0, 0));
  EXPECT_THAT(Slopes(SigmoidCrossEntropy{0, 0.01f}, z, t, w), testing::ElementsAre(0, 0));
}

// Binary relevance: one softmax over two logits a label.
TEST(PairDifference, TurnsTwoWaySoftmaxesIntoSigmoids) {
  const Tensor pairs = Doubles({1, 4}, {0.5, -1, 2, 3});  // absent: 0.5, -1; present: 2, 3
  const auto z = RunOp(PairDifference{}, {&pairs});
  EXPECT_THAT(Elements(z[0]), testing::ElementsAre(1.5, 4));
  const Tensor t = Doubles({1, 2}, {1, 0}), w = Doubles({1}, {1});
  const auto outputs = RunLoss(SigmoidCrossEntropy{}, z[0], t, w);
  const double first = std::exp(2) / (std::exp(0.5) + std::exp(2));
  const double second = std::exp(3) / (std::exp(-1) + std::exp(3));
  EXPECT_THAT(Elements(outputs[1]), testing::Pointwise(Near(1e-15), {first, second}));
  EXPECT_NEAR(*outputs[0].as<double>(), -(std::log(first) + std::log(1 - second)) / 2, 1e-14);
}

}  // namespace
}  // namespace fovea
