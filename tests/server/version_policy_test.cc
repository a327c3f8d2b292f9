#include "server/serving/version_policy.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(VersionPolicy, KeepsTheNewestAlone) {
  EXPECT_THAT(VersionsToUnload({{3, false, 9}}, 2), IsEmpty());
}

TEST(VersionPolicy, AReplacedVersionGoes) {
  EXPECT_THAT(VersionsToUnload({{1, false, 9}, {2, false, 1}}, 2), UnorderedElementsAre(1));
}

TEST(VersionPolicy, VersionsThatRequestsNamedStayByTheirLastUse) {
  EXPECT_THAT(VersionsToUnload({{1, true, 5}, {2, true, 7}, {3, true, 6}, {9, false, 1}}, 2),
              UnorderedElementsAre(1));
  EXPECT_THAT(VersionsToUnload({{1, true, 5}, {2, false, 7}, {9, true, 1}}, 1),
              UnorderedElementsAre(2));
}

}  // namespace
}  // namespace fovea
