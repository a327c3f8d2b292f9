#include "server/serving/version_policy.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(VersionPolicy, ChoosesTheNewestUnlessItSaysOtherwise) {
  const std::vector<uint64_t> stored = {1, 2, 5, 9};
  v1::VersionPolicy policy;
  EXPECT_THAT(ChosenVersions(policy, stored), ElementsAre(9));
  EXPECT_THAT(ChosenVersions(policy, {}), IsEmpty());
  policy.set_latest(3);
  EXPECT_THAT(ChosenVersions(policy, stored), ElementsAre(2, 5, 9));
  policy.set_latest(5);
  EXPECT_THAT(ChosenVersions(policy, stored), ElementsAre(1, 2, 5, 9));
  policy.mutable_all();
  EXPECT_THAT(ChosenVersions(policy, stored), ElementsAre(1, 2, 5, 9));
  for (const uint64_t version : {5, 1, 7}) policy.mutable_versions()->add_versions(version);
  EXPECT_THAT(ChosenVersions(policy, stored), ElementsAre(1, 5));
}

TEST(VersionPolicy, AReplacedVersionGoes) {
  EXPECT_THAT(VersionsToUnload({{3, false, 9}}, {3}, 2), IsEmpty());
  EXPECT_THAT(VersionsToUnload({{1, false, 9}, {2, false, 1}}, {2}, 2), ElementsAre(1));
}

TEST(VersionPolicy, VersionsThatRequestsNamedStayByTheirLastUse) {
  EXPECT_THAT(VersionsToUnload({{1, true, 5}, {2, true, 7}, {3, true, 6}, {9, false, 1}}, {9}, 2),
              ElementsAre(1));
  EXPECT_THAT(VersionsToUnload({{1, true, 5}, {2, false, 7}, {9, true, 1}}, {9}, 1),
              ElementsAre(2));
  EXPECT_THAT(VersionsToUnload({{1, true, 1}, {2, true, 2}, {3, true, 3}}, {1}, 1),
              UnorderedElementsAre(2));
}

}  // namespace
}  // namespace fovea
