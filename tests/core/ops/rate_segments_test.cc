#include "core/ops/rate_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace fovea::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::tuple<int64_t, int64_t, float>> Parts(const std::vector<float>& constants,
                                                       int64_t count, int64_t begin, int64_t end) {
  std::vector<std::tuple<int64_t, int64_t, float>> parts;
  ForEachSegment(
      RateSegments(constants, count), begin, end,
      [&](int64_t from, int64_t to, float factor) { parts.emplace_back(from, to, factor); });
  return parts;
}

TEST(RateSegments, AreOneWithoutConstants) {
  EXPECT_THAT(Parts({}, 40, 3, 40), ElementsAre(std::tuple(3, 40, 1)));
  EXPECT_THAT(Parts({}, 40, 40, 40), IsEmpty());
}

TEST(RateSegments, CutARangeWhereTheFactorChanges) {
  const std::vector<float> constants = {2, 0.5f, 3, 4};  // to element 32, then to 48
  EXPECT_THAT(Parts(constants, 40, 0, 40),
              ElementsAre(std::tuple(0, 32, 0.5f), std::tuple(32, 40, 4)));
  EXPECT_THAT(Parts(constants, 40, 5, 32), ElementsAre(std::tuple(5, 32, 0.5f)));
  EXPECT_THAT(Parts(constants, 40, 33, 39), ElementsAre(std::tuple(33, 39, 4)));
}

TEST(RateConstants, JoinNeighboursOfOneFactor) {
  EXPECT_THAT(RateConstants({{16, 1}, {64, 1}}), IsEmpty());
  EXPECT_THAT(RateConstants({{16, 0.5f}, {32, 0.5f}, {41, 1}}), ElementsAre(2, 0.5f, 3, 1));
}

TEST(CheckRateSegments, NamesWhatIsWrong) {
  EXPECT_TRUE(CheckRateSegments({}, 40).ok());
  EXPECT_TRUE(CheckRateSegments({2, 0.5f, 3, 4}, 40).ok());
  const auto fault = [](std::vector<float> constants) {
    return std::string(CheckRateSegments(constants, 40).message());
  };
  EXPECT_THAT(fault({3}), HasSubstr("found 1 constants, expected pairs"));
  EXPECT_THAT(fault({2, 1, 2, 1}), HasSubstr("expected a whole number above 2"));
  EXPECT_THAT(fault({3, 0}), HasSubstr("a rate factor is 0, expected a finite number > 0"));
  EXPECT_THAT(fault({2, 1}), HasSubstr("ends at 16 * 2, expected 16 * 3"));
}

}  // namespace
}  // namespace fovea::ops
