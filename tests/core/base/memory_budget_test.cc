#include "core/base/memory_budget.h"

#include <gtest/gtest.h>

#include "core/base/file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

class MemoryBudgetTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(ParentPath(root_.File(path))).ok());
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(root_.File(path), text).ok());
  }
  int64_t Read() { return ReadAvailableMemory(root_.path()); }
  testing::TempDir root_;
};

TEST_F(MemoryBudgetTest, IsWhatTheMachineHasWithoutCgroups) {
  EXPECT_EQ(Read(), int64_t{1} << 30);
  Put("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    5000 kB\n");
  EXPECT_EQ(Read(), 5000 * 1024);
}

TEST_F(MemoryBudgetTest, TakesTheTightestGroupOfVersionTwo) {
  Put("proc/meminfo", "MemAvailable: 5000 kB\n");
  Put("proc/self/cgroup", "0::/outer/inner\n");
  Put("sys/fs/cgroup/outer/memory.max", "2000\n");
  Put("sys/fs/cgroup/outer/memory.current", "1500\n");
  Put("sys/fs/cgroup/outer/memory.stat", "anon 900\ninactive_file 200\n");
  Put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  Put("sys/fs/cgroup/outer/inner/memory.current", "1\n");
  EXPECT_EQ(Read(), 700);
}

TEST_F(MemoryBudgetTest, ReadsVersionOneAndIsNeverNegative) {
  Put("proc/self/cgroup", "4:cpu:/a\n3:memory:/a\n");
  Put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1000\n");
  Put("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "400\n");
  EXPECT_EQ(Read(), 600);
  Put("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1400\n");
  EXPECT_EQ(Read(), 0);
}

TEST_F(MemoryBudgetTest, IgnoresWhatItCannotRead) {
  Put("proc/meminfo", "MemAvailable: lots\n");
  Put("proc/self/cgroup", "0::/a\nrubbish\n:\n");
  Put("sys/fs/cgroup/a/memory.max", "1000\n");
  EXPECT_EQ(Read(), int64_t{1} << 30);
}

}  // namespace
}  // namespace fovea
