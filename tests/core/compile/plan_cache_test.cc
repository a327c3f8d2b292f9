#include "core/compile/plan_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::IsEmpty;

const PlanKey kKey = {"AMD EPYC 7B13, avx2", "cpu 1, oneDNN 2.6.3", "ab12", 2, DType::kF32};
const TimedPlans kPlans = {{1, {LayoutPlan::kNhwc, 0.0125}},
                           {2, {LayoutPlan::kBlocked, 0.025000001}},
                           {4, {LayoutPlan::kBlockedWinograd, 0}}};

class PlanCacheTest : public ::testing::Test {
 protected:
  std::string OnlyFile() {
    const auto names = FileSystem::Real()->List(folder_.File("plans"));
    EXPECT_TRUE(names.ok()) << names.status();
    EXPECT_EQ(names->size(), 1u);
    return JoinPath(folder_.File("plans"), names->front());
  }

  testing::TempDir folder_;
  testing::FaultyFileSystem files_;
  const PlanCache cache_{&files_, folder_.File("plans")};
};

TEST_F(PlanCacheTest, FindsWhatWasStoredLast) {
  EXPECT_THAT(cache_.Find(kKey), IsEmpty());
  ASSERT_TRUE(cache_.Store(kKey, {{1, {LayoutPlan::kBlocked, 1}}}).ok());
  ASSERT_TRUE(cache_.Store(kKey, kPlans).ok());
  EXPECT_EQ(cache_.Find(kKey), kPlans);
}

TEST_F(PlanCacheTest, MissesForEveryOtherKey) {
  ASSERT_TRUE(cache_.Store(kKey, kPlans).ok());
  std::vector<PlanKey> others(5, kKey);
  others[0].cpu = "AMD EPYC 9B45, avx512_vnni";
  others[1].kernels = "cpu 2, oneDNN 2.6.3";
  others[2].graph = "ab13";
  others[3].width = 1;
  others[4].type = DType::kBF16;
  for (const PlanKey& other : others) {
    EXPECT_THAT(cache_.Find(other), IsEmpty()) << other.ToText();
    // Nor does a file under the other's name count.
    EXPECT_THAT(ParsePlans(other, FormatPlans(kKey, kPlans)), IsEmpty()) << other.ToText();
  }
}

TEST_F(PlanCacheTest, MissesWhenTheFileIsDamaged) {
  ASSERT_TRUE(cache_.Store(kKey, kPlans).ok());
  const std::string path = OnlyFile(), whole = *FileSystem::Real()->Read(path);
  const auto changed = [&](const char* from, const char* to) {
    return absl::StrReplaceAll(whole, {{from, to}});
  };
  for (const std::string& text :
       {std::string(), std::string("no plans"), whole.substr(0, whole.size() - 1), whole + "\n",
        changed("1 nhwc", "1 nhwx"), changed("1 nhwc", "0 nhwc"), changed("1 nhwc", "2 nhwc"),
        changed("0.0125", "-1"), changed("0.0125", "nan"), changed("0.0125", "soon"),
        changed("0.0125", "0.0125 1")}) {
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path, text).ok());
    EXPECT_THAT(cache_.Find(kKey), IsEmpty()) << text;
  }
}

TEST_F(PlanCacheTest, KeepsWhatWasStoredWhenTheDiskIsFull) {
  ASSERT_TRUE(cache_.Store(kKey, kPlans).ok());
  files_.FailFrom(1, testing::FaultyFileSystem::Fault::kFullDisk);
  EXPECT_TRUE(absl::IsResourceExhausted(cache_.Store(kKey, {{1, {LayoutPlan::kBlocked, 1}}})));
  EXPECT_EQ(cache_.Find(kKey), kPlans);
}

}  // namespace
}  // namespace fovea
