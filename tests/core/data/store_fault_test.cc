#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/data/store.h"
#include "tests/core/data/pictures.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using testing::DatasetStoreTest;
using ::testing::HasSubstr;
using testing::Item;
using testing::Labels;
using testing::MakeImage;

TEST_F(DatasetStoreTest, LeavesNothingHalfWrittenWhenTheDiskIsFull) {
  const ImportItem small[] = {Item(1, Labels{"x"})};
  ASSERT_TRUE(Make(Task::kSingleLabel)->Import("", small).ok());
  const int64_t used = FileSystem::Real()->Size(path_).value();
  const auto store =
      DatasetStore::Open(path_, DatasetStore::Mode::kReadWrite, {{}, used + 65536}).value();
  const auto summary = store->Import("big", [](ImportSink* sink) -> absl::Status {
    for (int i = 0; i < 100; ++i) {
      const Image image = MakeImage(64, 64, 3, i);
      const absl::Status status = sink->Add(
          {absl::StrCat(i), testing::Encode(image, ".bmp"), std::vector<std::string>{"x"}, {}});
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(summary.status())) << summary.status();
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr(path_));
  EXPECT_EQ(store->Statistics().value().total(), 1);
  EXPECT_EQ(store->Revision().value(), 1);
  EXPECT_EQ(store->FindImport("big").value(), std::nullopt);
  EXPECT_EQ(Reopen()->Statistics().value().total(), 1);
  const ImportItem next[] = {Item(2, Labels{"x"})};
  EXPECT_EQ(store->Import("", next).value().imported, 1) << "it keeps working";
}

// A process that dies by SIGKILL before or after the commit of an import.
TEST_F(DatasetStoreTest, SurvivesACrashInAnImport) {
  Make(Task::kSingleLabel);
  const auto import_and_die = [&](int seed, bool commit) {
    const pid_t child = fork();
    if (child == 0) {
      const auto store = Reopen();
      const auto session = store->BeginImport(absl::StrCat(seed)).value();
      if (!session->Add(Item(seed, Labels{"x"})).ok()) _exit(1);
      if (commit && !session->Commit().ok()) _exit(1);
      raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  };
  import_and_die(1, false);
  EXPECT_EQ(Reopen()->Statistics().value().total(), 0);
  import_and_die(2, true);
  EXPECT_EQ(Reopen()->Statistics().value().total(), 1);
  EXPECT_EQ(Reopen()->FindImport("1").value(), std::nullopt);
  EXPECT_EQ(Reopen()->FindImport("2").value().value().imported, 1);
}

TEST_F(DatasetStoreTest, CallsADamagedFileDataLoss) {
  FileSystem* files = FileSystem::Real();
  ASSERT_TRUE(files->WriteAtomically(path_, std::string(8192, 'x')).ok());
  EXPECT_TRUE(
      absl::IsDataLoss(DatasetStore::Open(path_, DatasetStore::Mode::kReadOnly, {}).status()));
  ASSERT_TRUE(files->WriteAtomically(path_, "").ok());
  EXPECT_TRUE(
      absl::IsDataLoss(DatasetStore::Open(path_, DatasetStore::Mode::kReadOnly, {}).status()));
  EXPECT_TRUE(absl::IsNotFound(
      DatasetStore::Open(dir_.File("none"), DatasetStore::Mode::kReadOnly, {}).status()));
}

TEST_F(DatasetStoreTest, FindsDamageInAnImage) {
  const std::string picture = testing::Encode(MakeImage(64, 64, 3), ".bmp");
  {
    const ImportItem items[] = {{"a", picture, Labels{"x"}, Split::kTrain}};
    ASSERT_TRUE(Make(Task::kSingleLabel)->Import("", items).ok());
  }
  std::string file = FileSystem::Real()->Read(path_).value();
  const size_t at = file.find(picture.substr(6000, 64));
  ASSERT_NE(at, std::string::npos);
  file[at] ^= 1;
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path_, file).ok());
  const auto store = Reopen(DatasetStore::Mode::kReadOnly);
  const auto rows = store->ListImages(Split::kTrain, 1).value();
  EXPECT_TRUE(absl::IsDataLoss(store->ReadBytes(rows.at(0).id).status()));
}

TEST_F(DatasetStoreTest, IgnoresTheLogOfAFileThatIsGone) {
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path_ + "-wal", std::string(100, 'x')).ok());
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path_ + ".creating", "half a file").ok());
  EXPECT_EQ(Make(Task::kSingleLabel)->Revision().value(), 0);
}

}  // namespace
}  // namespace fovea
