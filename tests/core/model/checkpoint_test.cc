#include "core/model/checkpoint.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = testing::FaultyFileSystem::Fault;

Checkpoint AtStep(uint64_t step) {
  Checkpoint checkpoint;
  checkpoint.manifest.set_job_id("job-1");
  checkpoint.manifest.set_attempt(1);
  checkpoint.manifest.set_step(step);
  checkpoint.manifest.set_examples_drawn(64 * step);
  const char fill = static_cast<char>('a' + step % 26);
  checkpoint.regions = {
      {"parameters", std::string(100, fill)}, {"states", std::string(17, fill)}, {"slots", ""}};
  return checkpoint;
}

// Without the care, and the cost, of WriteAtomically.
void Overwrite(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class Checkpoints : public ::testing::Test {
 protected:
  void Write(uint64_t step) {
    const absl::Status status = store_.Write(AtStep(step));
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }

  testing::FaultyFileSystem files_;
  testing::TempDir dir_;
  std::string folder_ = dir_.File("job/checkpoints");
  CheckpointStore store_{&files_, folder_};
};

TEST_F(Checkpoints, ReadBackAsTheyWereWritten) {
  Write(12);
  const auto read = store_.Read(12);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->manifest.step(), 12u);
  EXPECT_EQ(read->manifest.examples_drawn(), 768u);
  EXPECT_EQ(read->manifest.format_version(), 1u);
  EXPECT_EQ(*read->Find("parameters"), std::string(100, 'm'));
  EXPECT_EQ(*read->Find("slots"), "");
  EXPECT_THAT(std::string(read->Find("averages").status().message()),
              HasSubstr("no region \"averages\", only parameters, states, slots"));
}

TEST_F(Checkpoints, AreNoneBeforeTheFirst) {
  EXPECT_THAT(*store_.Steps(), IsEmpty());
  const auto latest = store_.ReadLatestWhole();
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_FALSE(latest->checkpoint.has_value());
  EXPECT_THAT(latest->notes, IsEmpty());
  EXPECT_EQ(store_.Read(3).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_.Prune(std::nullopt).ok());
}

TEST_F(Checkpoints, OfTheSameStepAreReplaced) {
  Write(5);
  Checkpoint again = AtStep(5);
  again.manifest.set_attempt(2);
  ASSERT_TRUE(store_.Write(again).ok());
  EXPECT_THAT(*store_.Steps(), ElementsAre(5));
  EXPECT_EQ(store_.Read(5)->manifest.attempt(), 2u);
}

TEST_F(Checkpoints, AreKeptWhenTheyAreTheLastTwoOrTheBest) {
  for (uint64_t step : {10, 20, 30, 40, 50}) Write(step);
  ASSERT_TRUE(store_.Prune(20).ok());
  EXPECT_THAT(*store_.Steps(), ElementsAre(20, 40, 50));
  ASSERT_TRUE(store_.Prune(50).ok());
  EXPECT_THAT(*store_.Steps(), ElementsAre(40, 50));
  ASSERT_TRUE(store_.RemoveAll().ok());
  EXPECT_THAT(*store_.Steps(), IsEmpty());
}

TEST_F(Checkpoints, AreSkippedWithANoteWhenDamaged) {
  for (uint64_t step : {10, 20, 30}) Write(step);
  const std::string data = Path("step-000000000030/data");
  std::string bytes = *files_.Read(data);
  bytes[3] ^= 1;
  ASSERT_TRUE(files_.WriteAtomically(data, bytes).ok());
  ASSERT_TRUE(files_.RemoveAll(Path("step-000000000020/manifest.textproto")).ok());
  const auto latest = store_.ReadLatestWhole();
  ASSERT_TRUE(latest.ok()) << latest.status();
  ASSERT_TRUE(latest->checkpoint.has_value());
  EXPECT_EQ(latest->checkpoint->manifest.step(), 10u);
  EXPECT_THAT(latest->notes,
              ElementsAre(HasSubstr("step-000000000030/data: region \"parameters\" has checksum"),
                          HasSubstr("step-000000000020: it has no manifest")));
}

TEST_F(Checkpoints, NoticeAnyChangedByte) {
  Write(1);
  for (const char* name : {"data", "manifest.textproto"}) {
    const std::string path = JoinPath(Path("step-000000000001"), name);
    const std::string whole = *files_.Read(path);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] ^= 4;
      Overwrite(path, damaged);
      EXPECT_EQ(store_.Read(1).status().code(), absl::StatusCode::kDataLoss) << name << " " << i;
      Overwrite(path, whole.substr(0, i));
      EXPECT_EQ(store_.Read(1).status().code(), absl::StatusCode::kDataLoss) << name << " " << i;
    }
    Overwrite(path, whole + "\n");
    EXPECT_EQ(store_.Read(1).status().code(), absl::StatusCode::kDataLoss) << name;
    Overwrite(path, whole);
  }
  EXPECT_TRUE(store_.Read(1).ok());
}

TEST_F(Checkpoints, SayInWhichFolderTheDiskWasFull) {
  Write(1);
  files_.FailFrom(1, Fault::kFullDisk);
  const absl::Status status = store_.Write(AtStep(2));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("step-000000000002"));
}

class CheckpointFault : public ::testing::TestWithParam<Fault> {};

TEST_P(CheckpointFault, AtAnyChangeLeavesTheEarlierOnes) {
  for (int n = 1;; ++n) {
    testing::TempDir dir;
    testing::FaultyFileSystem files;
    CheckpointStore store(&files, dir.File("checkpoints"));
    for (uint64_t step : {10, 20}) ASSERT_TRUE(store.Write(AtStep(step)).ok());
    files.FailFrom(n, GetParam());
    const absl::Status written = store.Write(AtStep(30));
    const bool finished = files.changes() < n;
    files.Heal();
    if (GetParam() == Fault::kFullDisk) {
      EXPECT_FALSE(files.Exists(dir.File("checkpoints/.staging")));
    }
    CheckpointStore after(&files, dir.File("checkpoints"));
    const auto latest = after.ReadLatestWhole();
    ASSERT_TRUE(latest.ok()) << latest.status();
    ASSERT_TRUE(latest->checkpoint.has_value());
    EXPECT_EQ(latest->checkpoint->manifest.step(), written.ok() ? 30u : 20u) << n;
    EXPECT_THAT(latest->notes, IsEmpty());
    EXPECT_TRUE(after.Read(10).ok());
    ASSERT_TRUE(after.Write(AtStep(40)).ok());
    ASSERT_TRUE(after.Prune(std::nullopt).ok());
    EXPECT_EQ(after.Steps()->size(), 2u);
    EXPECT_EQ(files.List(dir.File("checkpoints"))->size(), 2u);
    if (finished) break;
  }
}

INSTANTIATE_TEST_SUITE_P(, CheckpointFault, ::testing::Values(Fault::kFullDisk, Fault::kCrash),
                         [](const auto& info) {
                           return info.param == Fault::kFullDisk ? "FullDisk" : "Crash";
                         });

}  // namespace
}  // namespace fovea
