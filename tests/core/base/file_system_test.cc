#include "core/base/file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileSystemTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  FileSystem* files_ = FileSystem::Real();
};

TEST_F(FileSystemTest, ReadsBackWhatItWrote) {
  const std::string path = dir_.File("a");
  ASSERT_TRUE(files_->WriteAtomically(path, {"one ", "", "two"}).ok());
  EXPECT_EQ(files_->Read(path).value(), "one two");
  EXPECT_EQ(files_->Size(path).value(), 7);
  ASSERT_TRUE(files_->WriteAtomically(path, "new").ok());
  EXPECT_EQ(files_->Read(path).value(), "new");
  EXPECT_THAT(files_->List(dir_.path()).value(), ElementsAre("a"));
}

TEST_F(FileSystemTest, ReadsFilesWithoutASize) {
  EXPECT_FALSE(files_->Read("/proc/self/cgroup").value_or("").empty());
}

TEST_F(FileSystemTest, NamesThePathThatIsMissing) {
  const absl::Status status = files_->Read(dir_.File("none")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_.File("none")));
  EXPECT_TRUE(absl::IsNotFound(files_->List(dir_.File("none")).status()));
  EXPECT_TRUE(absl::IsNotFound(files_->WriteAtomically(dir_.File("none/a"), "x")));
}

// The kernel's file size limit stands for a full disk.
TEST_F(FileSystemTest, LeavesNothingBehindWhenTheDiskIsFull) {
  const std::string path = dir_.File("a");
  ASSERT_TRUE(files_->WriteAtomically(path, "old").ok());
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1000, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = files_->WriteAtomically(path, std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(files_->Read(path).value(), "old");
  EXPECT_THAT(files_->List(dir_.path()).value(), ElementsAre("a"));
}

TEST_F(FileSystemTest, MakesFoldersAndIsContentWhenTheyExist) {
  ASSERT_TRUE(files_->MakeDirs(dir_.File("a/b/c")).ok());
  ASSERT_TRUE(files_->MakeDirs(dir_.File("a/b/c/")).ok());
  EXPECT_TRUE(files_->IsDirectory(dir_.File("a/b/c")));
  ASSERT_TRUE(files_->WriteAtomically(dir_.File("file"), "").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->MakeDirs(dir_.File("file/x"))));
}

TEST_F(FileSystemTest, PublishesAFolderOnlyWhereThereIsNone) {
  ASSERT_TRUE(files_->MakeDirs(dir_.File("staged")).ok());
  ASSERT_TRUE(files_->WriteAtomically(dir_.File("staged/m"), "1").ok());
  ASSERT_TRUE(files_->Rename(dir_.File("staged"), dir_.File("1")).ok());
  EXPECT_EQ(files_->Read(dir_.File("1/m")).value(), "1");
  ASSERT_TRUE(files_->MakeDirs(dir_.File("staged")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->Rename(dir_.File("staged"), dir_.File("1"))));
  EXPECT_EQ(files_->Read(dir_.File("1/m")).value(), "1");
}

TEST_F(FileSystemTest, RemovesFoldersButNotWhatLinksPointTo) {
  ASSERT_TRUE(files_->WriteAtomically(dir_.File("kept"), "x").ok());
  ASSERT_TRUE(files_->MakeDirs(dir_.File("gone/deep")).ok());
  ASSERT_EQ(symlink(dir_.File("kept").c_str(), dir_.File("gone/deep/link").c_str()), 0);
  ASSERT_TRUE(files_->RemoveAll(dir_.File("gone")).ok());
  ASSERT_TRUE(files_->RemoveAll(dir_.File("gone")).ok());
  EXPECT_FALSE(files_->Exists(dir_.File("gone")));
  EXPECT_TRUE(files_->Exists(dir_.File("kept")));
}

TEST_F(FileSystemTest, RefusesTheSizeOfWhatIsNoRegularFile) {
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->Size(dir_.path()).status()));
}

TEST(Paths, JoinAndSplit) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(ParentPath("a/b/c"), "a/b");
  EXPECT_EQ(ParentPath("a/b/"), "a");
  EXPECT_EQ(ParentPath("c"), ".");
  EXPECT_EQ(ParentPath("/c"), "/");
  EXPECT_EQ(ParentPath("/"), "/");
}

TEST(ErrnoToStatus, TellsFullDisksFromMissingFiles) {
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoToStatus(ENOSPC, "write", "x")));
  EXPECT_TRUE(absl::IsNotFound(ErrnoToStatus(ENOENT, "open", "x")));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrnoToStatus(EACCES, "open", "x")));
}

TEST(FaultyFileSystem, FailsFromTheGivenChangeOn) {
  testing::TempDir dir;
  testing::FaultyFileSystem files;
  files.FailFrom(2, testing::FaultyFileSystem::Fault::kFullDisk);
  EXPECT_TRUE(files.WriteAtomically(dir.File("a"), "x").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(files.WriteAtomically(dir.File("b"), "x")));
  EXPECT_TRUE(files.RemoveAll(dir.File("a")).ok());
  files.Heal();
  EXPECT_TRUE(files.WriteAtomically(dir.File("b"), "x").ok());
  files.FailFrom(1, testing::FaultyFileSystem::Fault::kCrash);
  EXPECT_FALSE(files.WriteAtomically(dir.File("c"), "long").ok());
  EXPECT_FALSE(files.RemoveAll(dir.File("b")).ok());
  EXPECT_THAT(files.List(dir.path()).value(), ElementsAre("b", "c.torn.tmp"));
}

}  // namespace
}  // namespace fovea
