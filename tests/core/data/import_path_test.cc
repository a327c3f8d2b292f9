#include "core/data/import_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "tests/core/data/pictures.h"
#include "tests/core/data/recording_sink.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MakeImage;
using testing::RecordingSink;

using Labels = std::vector<std::string>;

class ImportPathTest : public ::testing::Test {
 protected:
  ImportPathTest() { options_.root = dir_.File("root"); }
  void SetUp() override { ASSERT_TRUE(FileSystem::Real()->MakeDirs(options_.root).ok()); }

  std::string Below(absl::string_view path) { return JoinPath(options_.root, path); }
  void Put(const std::string& path, absl::string_view bytes) {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(ParentPath(path)).ok());
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path, bytes).ok());
  }
  void Link(const std::string& target, absl::string_view path) {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(ParentPath(Below(path))).ok());
    ASSERT_EQ(symlink(target.c_str(), Below(path).c_str()), 0);
  }
  absl::Status Csv(absl::string_view text) {
    Put(Below("set/list.csv"), text);
    return ImportCsvManifest(options_, "set/list.csv", &sink_);
  }

  testing::TempDir dir_;
  ImportPathOptions options_;
  RecordingSink sink_;
};

TEST_F(ImportPathTest, ResolvesPathsBelowTheRoot) {
  Put(Below("a/b.png"), "x");
  Link(Below("a"), "inner");
  const std::string real_root = std::filesystem::canonical(options_.root);
  EXPECT_EQ(ResolveUnderRoot(options_.root, "a/b.png").value(), real_root + "/a/b.png");
  EXPECT_EQ(ResolveUnderRoot(options_.root, "inner/b.png").value(), real_root + "/a/b.png");
  EXPECT_EQ(ResolveUnderRoot(options_.root, ".").value(), real_root);
}

TEST_F(ImportPathTest, RefusesPathsThatLeaveTheRoot) {
  Put(dir_.File("secret"), "x");
  Put(dir_.File("root-beside/x"), "x");
  Link(dir_.File("secret"), "link");
  Link("../secret", "relative");
  Link(dir_.File("root-beside"), "beside");
  for (const std::string path : {"", "/etc/passwd", "..", "../secret", "a/../../secret", "a/..",
                                 "link", "relative", "beside", "beside/x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ResolveUnderRoot(options_.root, path).status())) << path;
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(ResolveUnderRoot(options_.root, std::string("a\0b", 3)).status()));
  const absl::Status missing = ResolveUnderRoot(options_.root, "none").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(std::string(missing.message()).find(dir_.path()), std::string::npos)
      << "the answer must not tell where the root lies";
}

TEST_F(ImportPathTest, ReadsAFolderPerClass) {
  Put(Below("pets/dog/2.png"), "two");
  Put(Below("pets/cat/1.png"), "one");
  Put(Below("pets/cat/.hidden"), "x");
  Put(Below("pets/cat/deep/x.png"), "x");
  Put(Below("pets/.git/x"), "x");
  Put(Below("pets/readme.txt"), "text");
  Put(Below("pets/empty/.keep"), "");
  options_.split = Split::kTest;
  ASSERT_TRUE(ImportFolderPerClass(options_, "pets", &sink_).ok());
  EXPECT_THAT(sink_.lines, ElementsAre("pets/cat/1.png: cat @test", "pets/dog/2.png: dog @test",
                                       "pets/readme.txt: (unlabelled) @test"));
  EXPECT_EQ(sink_.items[0].bytes, "one");
}

TEST_F(ImportPathTest, RejectsLinksThatLeaveTheRoot) {
  Put(dir_.File("outside/x.png"), "secret");
  Put(Below("pets/cat/ok.png"), "x");
  Link(dir_.File("outside/x.png"), "pets/cat/out.png");
  Link(dir_.File("outside"), "pets/dog");
  Link("nowhere", "pets/cat/dangling.png");
  ASSERT_TRUE(ImportFolderPerClass(options_, "pets", &sink_).ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("pets/cat/dangling.png! not_found", "pets/cat/ok.png: cat",
                          "pets/cat/out.png! outside_data_root", "pets/dog! outside_data_root"));
}

TEST_F(ImportPathTest, RejectsLargeFilesAndPipesWithoutReadingThem) {
  options_.limits.max_bytes = 10;
  Put(Below("pets/cat/large.png"), std::string(11, 'x'));
  ASSERT_EQ(mkfifo(Below("pets/cat/pipe").c_str(), 0600), 0);
  ASSERT_TRUE(ImportFolderPerClass(options_, "pets", &sink_).ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("pets/cat/large.png! oversized", "pets/cat/pipe! not_found"));
  EXPECT_THAT(sink_.messages[0], HasSubstr("11 bytes, at most 10"));
}

TEST_F(ImportPathTest, RefusesWhatIsNoFolder) {
  Put(Below("file"), "x");
  EXPECT_TRUE(absl::IsInvalidArgument(ImportFolderPerClass(options_, "file", &sink_)));
  EXPECT_TRUE(absl::IsNotFound(ImportFolderPerClass(options_, "none", &sink_)));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportFolderPerClass(options_, "..", &sink_)));
}

TEST_F(ImportPathTest, StopsWhenCancelled) {
  Put(Below("pets/cat/1.png"), "x");
  CancelToken cancel;
  cancel.Cancel();
  options_.cancel = &cancel;
  EXPECT_TRUE(absl::IsCancelled(ImportFolderPerClass(options_, "pets", &sink_)));
  EXPECT_THAT(sink_.lines, IsEmpty());
}

TEST_F(ImportPathTest, ReadsLabelsOfAManifest) {
  Put(Below("set/a.png"), "A");
  Put(Below("set/sub/b c.png"), "B");
  ASSERT_TRUE(Csv("a.png,cat,dog\n"
                  "a.png,cat; dog,bird\n"
                  "a.png,\n"
                  "a.png\n"
                  "\n"
                  "\"sub/b c.png\",\"a;b, c\"\r\n")
                  .ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("set/a.png: cat|dog", "set/a.png: cat|dog|bird",
                          "set/a.png: ", "set/a.png: (unlabelled)", "set/sub/b c.png: a;b, c"));
  EXPECT_EQ(sink_.items[4].bytes, "B");
  EXPECT_TRUE(sink_.items[2].labels.has_value());
}

TEST_F(ImportPathTest, SkipsAHeadingOnlyInTheFirstLine) {
  Put(Below("set/a.png"), "A");
  ASSERT_TRUE(Csv("Path,Labels\na.png,x\npath,y\n").ok());
  EXPECT_THAT(sink_.lines, ElementsAre("set/a.png: x", "set/path! not_found"));
}

TEST_F(ImportPathTest, ReadsAManifestInTheRootItself) {
  Put(Below("a.png"), "A");
  Put(Below("list.csv"), "a.png,x");
  ASSERT_TRUE(ImportCsvManifest(options_, "list.csv", &sink_).ok());
  EXPECT_THAT(sink_.lines, ElementsAre("a.png: x"));
}

TEST_F(ImportPathTest, RejectsManifestLinesThatLeaveTheRoot) {
  Put(dir_.File("secret.png"), "x");
  ASSERT_TRUE(Csv("/etc/passwd,x\n../../secret.png,x\nnone.png,x\n,x\n").ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("/etc/passwd! outside_data_root", "../../secret.png! outside_data_root",
                          "set/none.png! not_found", "line 4! not_found"));
}

TEST_F(ImportPathTest, RefusesABrokenManifest) {
  const absl::Status status = Csv("a.png,\"x\n");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"set/list.csv\", line 1"));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportCsvManifest(options_, "set", &sink_)));
  EXPECT_TRUE(absl::IsNotFound(ImportCsvManifest(options_, "none.csv", &sink_)));
}

}  // namespace
}  // namespace fovea
