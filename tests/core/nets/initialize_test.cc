#include "core/nets/initialize.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

constexpr auto kHe = Initializer::Kind::kHeNormal;
constexpr auto kGlorot = Initializer::Kind::kGlorotUniform;
const Type kWeights = {DType::kF32, {64, 32, 3, 3}};

std::vector<float> Values(const Initializer& initializer, const Type& type, uint64_t seed) {
  const auto tensor = InitialValue(initializer, type, seed);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return {tensor->as<float>(), tensor->as<float>() + tensor->count()};
}

double Deviation(const std::vector<float>& values) {
  double sum = 0;
  for (float value : values) sum += double(value) * value;
  return std::sqrt(sum / values.size());
}

TEST(InitialValue, DependsOnSeedAndNameOnly) {
  const auto first = Values({"conv1.weight", kHe}, kWeights, 7);
  EXPECT_EQ(first, Values({"conv1.weight", kHe}, kWeights, 7));
  EXPECT_NE(first, Values({"conv1.weight", kHe}, kWeights, 8));
  EXPECT_NE(first, Values({"conv2.weight", kHe}, kWeights, 7));
}

TEST(InitialValue, HasTheVarianceOfHeByFanIn) {
  const auto values = Values({"w", kHe}, kWeights, 1);
  EXPECT_NEAR(Deviation(values), std::sqrt(2.0 / (32 * 9)), 0.001);
}

TEST(InitialValue, StaysWithinTheBoundOfGlorot) {
  const auto values = Values({"w", kGlorot}, {DType::kF32, {10, 64}}, 1);
  const float bound = std::sqrt(6.0f / (10 + 64));
  EXPECT_LE(*std::max_element(values.begin(), values.end()), bound);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), -bound);
  EXPECT_NEAR(Deviation(values), bound / std::sqrt(3.0), 0.02);
}

struct Moments {
  const char* name;
  Initializer::Kind kind;
  double variance;
  bool uniform;
};

// Against the definitions, with fan-in 288 and fan-out 576: the variance, the bound of uniform
// values, and the fourth moment that tells a normal (3) from a uniform distribution (9/5).
TEST(InitialValue, HasTheMomentsOfItsDefinition) {
  using Kind = Initializer::Kind;
  const double in = 32 * 9, out = 64 * 9;
  for (const Moments& c : {Moments{"he normal", Kind::kHeNormal, 2 / in, false},
                           {"he uniform", Kind::kHeUniform, 2 / in, true},
                           {"glorot normal", Kind::kGlorotNormal, 2 / (in + out), false},
                           {"glorot uniform", Kind::kGlorotUniform, 2 / (in + out), true},
                           {"lecun normal", Kind::kLecunNormal, 1 / in, false},
                           {"lecun uniform", Kind::kLecunUniform, 1 / in, true},
                           {"small normal", Kind::kNormal, 0.01 * 0.01, false}}) {
    SCOPED_TRACE(c.name);
    const auto values = Values({"w", c.kind, 0.01f}, kWeights, 1);
    double mean = 0, square = 0, fourth = 0, largest = 0;
    for (const double value : values) {
      mean += value;
      square += value * value;
      fourth += value * value * value * value;
      largest = std::max(largest, std::abs(value));
    }
    const auto count = static_cast<double>(values.size());
    const double deviation = std::sqrt(c.variance);
    EXPECT_NEAR(mean / count, 0, 4 * deviation / std::sqrt(count));
    EXPECT_NEAR(square / count / c.variance, 1, 0.05);
    EXPECT_NEAR(fourth / count / (c.variance * c.variance), c.uniform ? 1.8 : 3, 0.25);
    if (c.uniform) {
      EXPECT_LE(largest, std::sqrt(3.0) * deviation * (1 + 1e-6));
    } else {
      EXPECT_GT(largest, 3 * deviation);
    }
  }
}

TEST(InitialValue, IsOrthogonal) {
  for (const Dims& dims : {Dims{16, 4, 3, 3}, Dims{40, 3, 3, 3}, Dims{8, 8}, Dims{5, 1}}) {
    const int64_t outputs = dims[0], inputs = dims.count() / dims[0];
    const auto w = InitialValue({"w", Initializer::Kind::kOrthogonal}, {DType::kF64, dims}, 2);
    ASSERT_TRUE(w.ok()) << w.status();
    const double* values = w->as<double>();
    const bool rows = outputs <= inputs;  // else the columns
    const int64_t vectors = rows ? outputs : inputs, length = rows ? inputs : outputs;
    for (int64_t a = 0; a < vectors; ++a) {
      for (int64_t b = 0; b <= a; ++b) {
        double dot = 0;
        for (int64_t i = 0; i < length; ++i) {
          dot += rows ? values[a * inputs + i] * values[b * inputs + i]
                      : values[i * inputs + a] * values[i * inputs + b];
        }
        EXPECT_NEAR(dot, a == b ? 1 : 0, 1e-6) << dims.ToString() << ": " << a << ", " << b;
      }
    }
  }
}

TEST(InitialValue, BeginsAlikeInFloatAndDouble) {
  const auto values = Values({"w", kHe}, kWeights, 3);
  const auto doubles = InitialValue({"w", kHe}, {DType::kF64, kWeights.dims}, 3);
  ASSERT_TRUE(doubles.ok()) << doubles.status();
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(doubles->as<double>()[i], values[i]);
}

TEST(InitialValue, FillsConstants) {
  const auto values =
      Values({"bn.running_var", Initializer::Kind::kConstant, 1.0f}, {DType::kF32, {16}}, 3);
  EXPECT_THAT(values, ::testing::Each(1.0f));
}

TEST(InitialValue, RefusesWhatHasNoFan) {
  EXPECT_EQ(InitialValue({"w", kHe}, {DType::kF32, {16}}, 1).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InitialValue({"w", kHe}, {DType::kU8, {16, 16}}, 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fovea
