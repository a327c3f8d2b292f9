#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/command_fixture.h"
#include "tests/testing/temp_dir.h"

namespace fovea::cli::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainTest : public CommandTest {
 protected:
  TrainTest() {
    server_.job.set_id("j1");
    server_.job.set_model("m");
    server_.job.set_state(v1::JOB_STATE_SUCCEEDED);
    server_.job.set_published_version(3);
    server_.train_events = {StateEvent(1, v1::JOB_STATE_PENDING),
                            StateEvent(2, v1::JOB_STATE_RUNNING),
                            ProgressEvent(2, 25),
                            EpochEvent(3, 1, 0.75),
                            ProgressEvent(3, 75),
                            EpochEvent(4, 2, 0.875),
                            StateEvent(5, v1::JOB_STATE_SUCCEEDED)};
  }
};

TEST_F(TrainTest, PrintsPlainLinesWithoutATerminal) {
  EXPECT_EQ(Run({"train", "pets", "--model", "m"}), 0);
  EXPECT_EQ(out(),
            "job j1 pending\n"
            "job j1 running\n"
            "epoch 1/2  step 50/100  loss 0.2500  accuracy 0.7500  images/s 1000.0  eta 9s\n"
            "epoch 2/2  step 100/100  loss 0.2500  accuracy 0.8750  images/s 1000.0  eta 9s\n"
            "job j1 succeeded: m version 3\n");
}

TEST_F(TrainTest, DrawsABarOnATerminal) {
  EXPECT_EQ(Run({"train", "pets"}, /*terminal=*/true), 0);
  EXPECT_THAT(out(), HasSubstr("\repoch 1/2 ["));
  EXPECT_THAT(out(), HasSubstr("acc 87.5%"));
  EXPECT_THAT(out(), HasSubstr("\r\x1b[Kjob j1 succeeded: m version 3\n"));
}

TEST_F(TrainTest, PrintsEveryEventAsJson) {
  EXPECT_EQ(Run({"train", "pets", "--json"}), 0);
  EXPECT_THAT(out(), HasSubstr("{\"job_id\":\"j1\",\"number\":\"1\""));
  const std::string lines = out();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 7);
}

TEST_F(TrainTest, SendsTheConfiguration) {
  ASSERT_EQ(Run({"train", "pets", "--net", "lenet", "--epochs", "3", "--set", "sgd.momentum=0.5",
                 "--set", "epochs=4", "--request-id", "r"}),
            0);
  EXPECT_EQ(server_.trained.dataset(), "pets");
  EXPECT_EQ(server_.trained.request_id(), "r");
  EXPECT_EQ(server_.trained.config().net(), "lenet");
  EXPECT_EQ(server_.trained.config().epochs(), 4u);
  EXPECT_EQ(server_.trained.config().sgd().momentum(), 0.5);
  EXPECT_EQ(Run({"train", "pets", "--set", "epoks=4"}), 1);
}

TEST_F(TrainTest, SendsWhatToFineTuneAndToFreeze) {
  ASSERT_EQ(
      Run({"train", "pets", "--fine-tune", "animals:3", "--freeze", "conv1", "--freeze", "layer1"}),
      0);
  EXPECT_EQ(server_.trained.config().fine_tune().ShortDebugString(),
            "model: \"animals\" version: 3 freeze: \"conv1\" freeze: \"layer1\"");
  ASSERT_EQ(Run({"train", "pets", "--fine-tune", "animals"}), 0);
  EXPECT_EQ(server_.trained.config().fine_tune().ShortDebugString(), "model: \"animals\"");
  EXPECT_EQ(Run({"train", "pets", "--fine-tune", "animals:new"}), 1);
  EXPECT_THAT(err(), HasSubstr("found \"animals:new\", expected MODEL or MODEL:VERSION"));
  EXPECT_EQ(Run({"train", "pets", "--freeze", "conv1"}), 1);
  EXPECT_THAT(err(), HasSubstr("expected --fine-tune"));
}

TEST_F(TrainTest, SendsANetInTextForm) {
  const fovea::testing::TempDir folder;
  const std::string path = folder.File("my.net");
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path, "conv 8\nrelu\n").ok());
  ASSERT_EQ(Run({"train", "pets", "--net-file", path}), 0);
  EXPECT_EQ(server_.trained.config().net_text(), "conv 8\nrelu\n");
  EXPECT_EQ(Run({"train", "pets", "--net-file", path, "--net", "lenet"}), 1);
  EXPECT_EQ(Run({"train", "pets", "--net-file", path + ".missing"}), 1);
}

TEST_F(TrainTest, AFailedJobHasItsOwnExitCode) {
  server_.job.set_state(v1::JOB_STATE_FAILED);
  server_.job.clear_published_version();
  server_.job.mutable_error()->set_message("loss is not finite");
  EXPECT_EQ(Run({"train", "pets"}), 4);
  EXPECT_THAT(out(), HasSubstr("job j1 failed: loss is not finite\n"));
}

TEST_F(TrainTest, DetachReturnsAfterTheFirstEvent) {
  server_.train_hangs = true;
  server_.job.set_state(v1::JOB_STATE_PENDING);
  EXPECT_EQ(Run({"train", "pets", "--detach"}), 0);
  EXPECT_THAT(out(), HasSubstr("job j1 pending\n"));
  EXPECT_THAT(out(), HasSubstr("jobs watch j1"));
  EXPECT_THAT(out(), Not(HasSubstr("running")));
}

TEST_F(TrainTest, GoesOnAfterALostConnection) {
  server_.watch_events = server_.train_events;
  server_.train_events.resize(4);
  server_.train_status = grpc::Status(grpc::UNAVAILABLE, "going away");
  EXPECT_EQ(Run({"train", "pets"}), 0);
  EXPECT_THAT(server_.watched_after, ElementsAre(3));
  EXPECT_THAT(out(), HasSubstr("connection lost, trying again"));
  EXPECT_THAT(out(), HasSubstr("connected again\nepoch 2/2"));
}

TEST_F(TrainTest, CtrlCDetachesAndSaysHowToGoOn) {
  server_.train_hangs = true;
  server_.train_events.resize(2);
  server_.after_train_events = [this] { interrupt_.Trigger(); };
  EXPECT_EQ(Run({"train", "pets"}), 130);
  if (out().empty()) return;  // interrupted before the first event arrived
  EXPECT_THAT(err(), HasSubstr("the job goes on"));
  EXPECT_THAT(err(), HasSubstr(server_.address() + " jobs watch j1"));
}

TEST_F(TrainTest, WatchShowsAnAttemptThatFailedBefore) {
  server_.watch_events = {StateEvent(1, v1::JOB_STATE_RUNNING), StateEvent(2, v1::JOB_STATE_FAILED),
                          StateEvent(3, v1::JOB_STATE_PENDING),
                          StateEvent(4, v1::JOB_STATE_SUCCEEDED)};
  EXPECT_EQ(Run({"jobs", "watch", "j1"}), 0);
  EXPECT_EQ(out(),
            "job j1 running\n"
            "job j1 failed\n"
            "job j1 pending\n"
            "job j1 succeeded: m version 3\n");
}

TEST_F(TrainTest, WatchTellsHowTheJobEnded) {
  server_.watch_events = server_.train_events;
  EXPECT_EQ(Run({"jobs", "watch", "j1", "--after", "3"}), 0);
  EXPECT_THAT(out(), Not(HasSubstr("pending")));
  EXPECT_THAT(out(), HasSubstr("job j1 succeeded: m version 3\n"));
  EXPECT_EQ(Run({"jobs", "watch", "gone"}), 2);
}

}  // namespace
}  // namespace fovea::cli::testing
