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
