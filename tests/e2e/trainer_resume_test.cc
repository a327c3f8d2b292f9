// The real fovea-trainer on a real data set: killed, stopped and abandoned in mid-epoch, it goes on
// with the same losses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/random.h"
#include "core/data/decode.h"
#include "core/data/store.h"
#include "core/model/format.h"
#include "core/model/text_proto.h"
#include "tests/e2e/trainer_process.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::AnyOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TrainerUnderTest;

constexpr int kPictures = 400;
// 320 training pictures make 40 steps an epoch.
constexpr int64_t kSteps = 200;
constexpr char kConfig[] =
    "mlp { hidden: 16 } batch_size: 8 epochs: 5 learning_rate: 0.05 width: 1 "
    "augmentation { pad_and_crop_pixels: 2 horizontal_flip: 0.5 } dropout: 0.1 ";
// In the third epoch, and in every backend's: the pipe of losses holds less than an epoch.
constexpr int64_t kMidEpoch = 90;

// A grey picture of noise with a bright half, above for label "up" and below for "down".
ImportItem Picture(int i, Random& random) {
  Image image{12, 12, 1, std::vector<uint8_t>(144)};
  const bool up = i % 2 == 0;
  for (int p = 0; p < 144; ++p) {
    image.pixels[p] = static_cast<uint8_t>(random.Below(128) + ((p < 72) == up ? 100 : 0));
  }
  return {absl::StrCat(i), EncodePng(image).value(), {{up ? "up" : "down"}}, std::nullopt};
}

class TrainerResume : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto store = DatasetStore::Create(dataset_, {"halves", Task::kSingleLabel, {}, {}}, {});
    ASSERT_TRUE(store.ok()) << store.status();
    Random random(1);
    std::vector<ImportItem> items;
    for (int i = 0; i < kPictures; ++i) items.push_back(Picture(i, random));
    const auto summary = (*store)->Import("", items);
    ASSERT_TRUE(summary.ok()) << summary.status();
    ASSERT_EQ(summary->imported, kPictures);
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(config_, kConfig).ok());
  }

  std::vector<std::string> NewRun(const std::string& output) const {
    return {"--config", config_, "--dataset", dataset_, "--output", output};
  }
  static std::vector<std::string> ResumeOf(const std::string& output) {
    return {"--output", output, "--resume"};
  }
  std::string Log() const { return FileSystem::Real()->Read(log_).value_or(""); }

  // The losses of a run that nothing interrupts, and its model.
  std::map<int64_t, std::string> Uninterrupted() {
    TrainerUnderTest trainer(NewRun(dir_.File("whole")), log_);
    EXPECT_EQ(trainer.Finish().code, 0) << Log();
    EXPECT_EQ(trainer.losses().size(), kSteps);
    return trainer.losses();
  }
  std::string Parameters(const std::string& output) const {
    return FileSystem::Real()->Read(output + "/model/model.onnx").value_or("");
  }
  void ExpectSameModel(const std::string& output) const {
    EXPECT_FALSE(Parameters(output).empty());
    EXPECT_EQ(Parameters(output), Parameters(dir_.File("whole")));
    EXPECT_FALSE(FileSystem::Real()->Exists(output + "/checkpoints"));
  }

  const testing::TempDir dir_;
  const std::string dataset_ = dir_.File("halves.sqlite");
  const std::string config_ = dir_.File("config.textproto");
  const std::string log_ = dir_.File("log");
};

// What both attempts computed: the later one supersedes, and must not differ where both ran.
std::map<int64_t, std::string> Joined(const TrainerUnderTest& first,
                                      const TrainerUnderTest& second) {
  std::map<int64_t, std::string> losses = second.losses();
  for (const auto& [step, line] : first.losses()) {
    const auto again = losses.emplace(step, line).first;
    EXPECT_EQ(again->second, line);
  }
  return losses;
}

TEST_F(TrainerResume, GivesTheSameLossesAfterSigkillInMidEpoch) {
  const std::map<int64_t, std::string> expected = Uninterrupted();
  const std::string output = dir_.File("killed");
  TrainerUnderTest killed(NewRun(output), log_);
  killed.ReadLossesUntil(kMidEpoch);
  killed.Signal(SIGKILL);
  ASSERT_EQ(killed.Finish().signal, SIGKILL) << Log();
  ASSERT_LT(killed.losses().size(), kSteps);

  TrainerUnderTest resumed(ResumeOf(output), log_);
  ASSERT_EQ(resumed.Finish().code, 0) << Log();
  // From the checkpoint of an epoch, not from the start.
  EXPECT_THAT(resumed.losses().begin()->first, AnyOf(80, 120, 160));
  EXPECT_EQ(Joined(killed, resumed), expected);
  ExpectSameModel(output);
}

TEST_F(TrainerResume, SavesACheckpointOnSigtermAndLosesNoStep) {
  const std::map<int64_t, std::string> expected = Uninterrupted();
  const std::string output = dir_.File("stopped");
  TrainerUnderTest stopped(NewRun(output), log_);
  stopped.ReadLossesUntil(kMidEpoch);
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish().code, 3) << Log();
  const int64_t last = stopped.losses().rbegin()->first;
  ASSERT_LT(last, kSteps - 1);

  TrainerUnderTest resumed(ResumeOf(output), log_);
  ASSERT_EQ(resumed.Finish().code, 0) << Log();
  EXPECT_EQ(resumed.losses().begin()->first, last + 1);
  EXPECT_EQ(Joined(stopped, resumed), expected);
  ExpectSameModel(output);
}

// ---- As a child of the server.

class TrainerChild : public TrainerResume {
 protected:
  std::string WriteJob(uint32_t attempt) {
    v1::TrainerJob job;
    job.set_job_id("job-7");
    job.set_attempt(attempt);
    job.set_model("halves");
    job.set_dataset("halves");
    job.set_dataset_path(dataset_);
    job.set_dataset_revision(1);
    EXPECT_TRUE(FromTextProto(kConfig, *job.mutable_config()).ok());
    job.set_output_folder(output_);
    job.set_resume(attempt > 1);
    const std::string path = dir_.File("job.textproto");
    EXPECT_TRUE(FileSystem::Real()->WriteAtomically(path, ToTextProto(job)).ok());
    return path;
  }

  const std::string output_ = dir_.File("job-7");
};

TEST_F(TrainerChild, TellsItsStartItsEpochsAndItsModel) {
  TrainerUnderTest trainer({"--job", WriteJob(1)}, log_, /*events=*/true);
  ASSERT_EQ(trainer.Finish().code, 0) << Log();
  const auto& messages = trainer.messages();
  ASSERT_THAT(messages.size(), Gt(2u));
  EXPECT_EQ(messages.front().started().total_steps(), kSteps);
  EXPECT_EQ(messages.front().started().execution().width(), 1);
  int epochs = 0;
  for (const v1::TrainerMessage& message : messages) {
    if (!message.has_event()) continue;
    EXPECT_EQ(message.event().job_id(), "job-7");
    epochs += message.event().has_epoch();
  }
  EXPECT_EQ(epochs, 5);
  const std::string staged = messages.back().result().staged_folder();
  const auto model = ReadModel(FileSystem::Real(), staged);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->manifest.labels_size(), 2);
  EXPECT_GT(model->manifest.report().measures().single_label().accuracy(), .9);
  EXPECT_GT(model->manifest.report().choices_size(), 0);
}

TEST_F(TrainerChild, TellsThatItWasCancelledAndGoesOnInItsNextAttempt) {
  TrainerUnderTest stopped({"--job", WriteJob(1)}, log_, true);
  stopped.ReadLossesUntil(kMidEpoch);
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish().code, 3) << Log();
  EXPECT_EQ(stopped.messages().back().error().code(),
            static_cast<uint32_t>(absl::StatusCode::kCancelled));

  TrainerUnderTest resumed({"--job", WriteJob(2)}, log_, true);
  ASSERT_EQ(resumed.Finish().code, 0) << Log();
  EXPECT_EQ(resumed.messages().front().started().step(), stopped.losses().rbegin()->first + 1);
  EXPECT_EQ(resumed.messages().back().message_case(), v1::TrainerMessage::kResult);
}

TEST_F(TrainerChild, EndsWithACheckpointWhenNobodyReadsItsEvents) {
  TrainerUnderTest orphan({"--job", WriteJob(1)}, log_, true);
  orphan.ReadLossesUntil(kMidEpoch);
  orphan.CloseEvents();
  EXPECT_NE(orphan.Finish().code, 0) << Log();
  ASSERT_LT(orphan.losses().size(), kSteps);

  TrainerUnderTest resumed({"--job", WriteJob(2)}, log_, true);
  ASSERT_EQ(resumed.Finish().code, 0) << Log();
  EXPECT_GE(resumed.messages().front().started().step(), 80);
}

TEST_F(TrainerChild, TellsWhatIsWrong) {
  v1::TrainerJob job;
  ASSERT_TRUE(FromTextProto(*FileSystem::Real()->Read(WriteJob(1)), job).ok());
  job.mutable_config()->set_net("lenett");
  const std::string path = dir_.File("wrong.textproto");
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path, ToTextProto(job)).ok());
  TrainerUnderTest trainer({"--job", path}, log_, true);
  EXPECT_EQ(trainer.Finish().code, 1);
  ASSERT_EQ(trainer.messages().size(), 1);
  EXPECT_EQ(trainer.messages()[0].error().code(),
            static_cast<uint32_t>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(trainer.messages()[0].error().message(), HasSubstr("lenett"));
}

// ---- By hand.

TEST_F(TrainerResume, RefusesAFolderThatIsInUseOrHoldsARun) {
  const std::string output = dir_.File("run");
  TrainerUnderTest first(NewRun(output), log_);
  first.ReadLossesUntil(0);
  TrainerUnderTest second(ResumeOf(output), log_);
  EXPECT_EQ(second.Finish().code, 4);
  EXPECT_THAT(Log(), HasSubstr("another trainer holds"));
  EXPECT_EQ(first.Finish().code, 0);
  TrainerUnderTest third(NewRun(output), log_);
  EXPECT_EQ(third.Finish().code, 1);
  EXPECT_THAT(Log(), HasSubstr("holds a run already"));
}

TEST_F(TrainerResume, ExplainsWrongOptions) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"--output", dir_.File("x")},
      {"--dataset", dir_.File("missing")},
      {"--resume", "--output", dir_.File("x"), "--dataset", dataset_},
      {"--events-fd", "5", "--dataset", dataset_, "--output", dir_.File("x")},
      {"--log-level", "loud", "--resume", "--output", dir_.File("x")},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    TrainerUnderTest trainer(arguments, log_);
    EXPECT_EQ(trainer.Finish().code, 2);
  }
  TrainerUnderTest nothing(ResumeOf(dir_.File("x")), log_);
  EXPECT_EQ(nothing.Finish().code, 1);
  EXPECT_THAT(Log(), HasSubstr("holds no run to resume"));
}

// ---- By hand, from a model instead of a checkpoint.

TEST_F(TrainerResume, BeginsWithTheModelOfAnotherRun) {
  Uninterrupted();
  const std::string config = dir_.File("tune.textproto"), tuned = dir_.File("tuned");
  ASSERT_TRUE(FileSystem::Real()
                  ->WriteAtomically(
                      config, "fine_tune { freeze: \"fc1\" } batch_size: 8 epochs: 1 width: 1")
                  .ok());
  std::vector<std::string> arguments = {"--config", config,     "--dataset",
                                        dataset_,   "--output", tuned};
  {
    TrainerUnderTest trainer(arguments, log_);
    EXPECT_EQ(trainer.Finish().code, 1);
    EXPECT_THAT(Log(), HasSubstr("found fine_tune, expected --start with the model's folder"));
  }
  arguments.insert(arguments.end(), {"--start", dir_.File("whole/model")});
  TrainerUnderTest trainer(arguments, log_);
  EXPECT_EQ(trainer.Finish().code, 0) << Log();
  EXPECT_THAT(Log(),
              HasSubstr("config.architecture = mlp { hidden: 16 } (that of model \"halves\")"));
  const auto before = ReadModel(FileSystem::Real(), dir_.File("whole/model"));
  const auto after = ReadModel(FileSystem::Real(), tuned + "/model");
  ASSERT_TRUE(before.ok() && after.ok()) << before.status() << after.status();
  const auto same = [&](const std::string& name) {
    const Tensor &a = before->values.at(name), &b = after->values.at(name);
    return std::memcmp(a.data(), b.data(), a.bytes()) == 0;
  };
  EXPECT_TRUE(same("fc1.weight"));
  EXPECT_TRUE(same("fc1.bias"));
  EXPECT_FALSE(same("fc2.weight"));
}

}  // namespace
}  // namespace fovea
