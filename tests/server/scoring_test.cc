#include "server/serving/scoring.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TopLabels, FallsByProbabilityAndBreaksTiesByIndex) {
  EXPECT_THAT(TopLabels({0.1f, 0.4f, 0.1f, 0.4f}, 4, {}),
              ElementsAre(Scored{1, 0.4f, true}, Scored{3, 0.4f, false}, Scored{0, 0.1f, false},
                          Scored{2, 0.1f, false}));
}

TEST(TopLabels, KeepsTheKMostProbable) {
  EXPECT_THAT(TopLabels({0.2f, 0.5f, 0.3f}, 2, {}),
              ElementsAre(Scored{1, 0.5f, true}, Scored{2, 0.3f, false}));
  EXPECT_THAT(TopLabels({0.2f, 0.8f}, 0, {}), IsEmpty());
  EXPECT_EQ(TopLabels({0.2f, 0.8f}, 9, {}).size(), 2u);
}

TEST(TopLabels, MultiLabelAppliesFromEachThresholdOn) {
  EXPECT_THAT(TopLabels({0.5f, 0.6f, 0.2f}, 3, {0.5f, 0.7f, 0.1f}),
              ElementsAre(Scored{1, 0.6f, false}, Scored{0, 0.5f, true}, Scored{2, 0.2f, true}));
}

}  // namespace
}  // namespace fovea
