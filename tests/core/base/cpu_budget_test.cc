#include "core/base/cpu_budget.h"

#include <gtest/gtest.h>

#include "core/base/file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

class CpuBudgetTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(ParentPath(root_.File(path))).ok());
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(root_.File(path), text).ok());
  }
  testing::TempDir root_;
};

TEST_F(CpuBudgetTest, HasNoQuotaWithoutCgroups) {
  const CpuBudget budget = ReadCpuBudget(root_.path());
  EXPECT_GE(budget.cores, 1);
  EXPECT_FALSE(budget.quota.has_value());
  EXPECT_EQ(budget.threads(), budget.cores);
}

TEST_F(CpuBudgetTest, TakesTheSmallestQuotaOfVersionTwo) {
  Put("proc/self/cgroup", "0::/outer/inner\n");
  Put("sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  Put("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_DOUBLE_EQ(ReadCpuBudget(root_.path()).quota.value_or(0), 1.5);
}

TEST_F(CpuBudgetTest, ReadsTheMountWhenTheGroupIsTheHosts) {
  Put("proc/self/cgroup", "0::/kubepods/not-visible-here\n");
  Put("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(ReadCpuBudget(root_.path()).quota.value_or(0), 0.5);
}

TEST_F(CpuBudgetTest, ReadsVersionOne) {
  Put("proc/self/cgroup", "4:memory:/a\n3:cpu,cpuacct:/a\n");
  Put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "300000\n");
  Put("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  Put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  Put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(ReadCpuBudget(root_.path()).quota.value_or(0), 3);
}

TEST_F(CpuBudgetTest, IgnoresWhatItCannotRead) {
  Put("proc/self/cgroup", "0::/a\nrubbish\n:\n");
  Put("sys/fs/cgroup/a/cpu.max", "many 100000\n");
  EXPECT_FALSE(ReadCpuBudget(root_.path()).quota.has_value());
}

TEST(CpuBudget, GrantsWholeThreadsWithinBoth) {
  EXPECT_EQ((CpuBudget{8, std::nullopt}.threads()), 8);
  EXPECT_EQ((CpuBudget{8, 2.9}.threads()), 2);
  EXPECT_EQ((CpuBudget{2, 16.0}.threads()), 2);
  EXPECT_EQ((CpuBudget{2, 0.5}.threads()), 1);
}

}  // namespace
}  // namespace fovea
