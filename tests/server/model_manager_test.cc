#include "server/serving/model_manager.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/serving/predictor.h"
#include "tests/server/model_manager_fixture.h"

namespace fovea::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(ModelManagerTest, LoadsTheNewestVersionAtStart) {
  Publish();
  Publish();
  StartAndWait();
  EXPECT_TRUE(Healthy("digits"));
  EXPECT_EQ(manager_->StateOf("digits", 2).state, State::kServing);
  EXPECT_EQ(manager_->StateOf("digits", 1).state, State::kStored);
  bool at_once = false;
  manager_->Acquire("digits", std::nullopt, [&](absl::StatusOr<ModelHandle> handle) {
    at_once = handle.ok() && (*handle)->version() == 2;
  });
  EXPECT_TRUE(at_once);
}

TEST_F(ModelManagerTest, AServedVersionTellsTheProgramOfEveryBatch) {
  Publish();
  StartAndWait();
  const ModelHandle served = *manager_->AcquireBlocking("digits", std::nullopt);
  const std::vector<v1::ServedProgram> programs = served->DescribePrograms();
  ASSERT_EQ(programs.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(programs[i].batch(), 1u << i);
    EXPECT_EQ(programs[i].layout_plan(), "nhwc");  // on the reference backend all are the same
    EXPECT_EQ(programs[i].reorders(), 0u);
  }
  EXPECT_TRUE(FileSystem::Real()->Exists(folder_.File("plans")));
}

TEST_F(ModelManagerTest, APublishedVersionTakesOverAndTheOldOneFinishesItsRequests) {
  Publish();
  StartAndWait();
  ModelHandle old = *manager_->AcquireBlocking("digits", std::nullopt);
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  EXPECT_EQ((*manager_->AcquireBlocking("digits", std::nullopt))->version(), 2u);
  EXPECT_EQ(manager_->StateOf("digits", 1).state, State::kUnloading);
  EXPECT_EQ(old->version(), 1u);
  old.reset();
  EXPECT_THAT(metrics_.Render(), HasSubstr("fovea_model_versions_serving 1"));
}

TEST_F(ModelManagerTest, ANamedVersionIsLoadedOnDemandAndTheLeastUsedGoes) {
  for (int i = 0; i < 3; ++i) Publish();
  StartAndWait();
  EXPECT_EQ((*manager_->AcquireBlocking("digits", 1))->version(), 1u);
  EXPECT_EQ((*manager_->AcquireBlocking("digits", 2))->version(), 2u);
  EXPECT_EQ(manager_->StateOf("digits", 3).state, State::kServing);
  EXPECT_EQ(manager_->StateOf("digits", 2).state, State::kServing);
  EXPECT_NE(manager_->StateOf("digits", 1).state, State::kServing);
}

TEST_F(ModelManagerTest, UnknownModelsAndVersionsAreNotFound) {
  Publish();
  StartAndWait();
  EXPECT_TRUE(absl::IsNotFound(manager_->AcquireBlocking("letters", std::nullopt).status()));
  EXPECT_TRUE(absl::IsNotFound(manager_->AcquireBlocking("digits", 7).status()));
  EXPECT_TRUE(absl::IsNotFound(manager_->Delete("letters", std::nullopt)));
}

TEST_F(ModelManagerTest, ADeletedVersionFinishesItsRequestsAndTheOneBeforeTakesOver) {
  Publish();
  Publish();
  StartAndWait();
  const ModelHandle held = *manager_->AcquireBlocking("digits", std::nullopt);
  ASSERT_TRUE(manager_->Delete("digits", 2).ok());
  EXPECT_EQ((*manager_->AcquireBlocking("digits", std::nullopt))->version(), 1u);
  EXPECT_EQ(held->version(), 2u);
  ASSERT_TRUE(manager_->Delete("digits", std::nullopt).ok());
  EXPECT_TRUE(absl::IsNotFound(manager_->AcquireBlocking("digits", std::nullopt).status()));
  EXPECT_FALSE(Healthy("digits"));
}

TEST_F(ModelManagerTest, AVersionThatAnswersOtherwiseThanWhenPublishedIsNotServed) {
  Model model = testing::SomeModel();
  model.golden.set_tolerance(1e-3f);
  v1::GoldenExample& example = *model.golden.add_examples();
  example.set_pixels(std::string(16, '\x80'));
  for (int i = 0; i < 3; ++i) example.add_outputs(i == 0 ? 1.0f : 0.0f);
  const std::string staged = *repository_.NewStagingFolder();
  ASSERT_TRUE(WriteModel(FileSystem::Real(), staged, model).ok());
  const uint64_t version = *repository_.Publish(staged, "digits");
  StartAndWait();
  EXPECT_FALSE(Healthy("digits"));
  const ModelManager::Status status = manager_->StateOf("digits", version);
  EXPECT_EQ(status.state, State::kFailed);
  EXPECT_THAT(status.message, HasSubstr("differ here from those it was published with"));
}

TEST_F(ModelManagerTest, ADamagedModelIsUnavailableAndDoesNotStopTheOthers) {
  const uint64_t version = Publish();
  const std::string file = JoinPath(repository_.Folder("digits", version), "model.onnx");
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(file, "no model").ok());
  StartAndWait();
  EXPECT_FALSE(Healthy("digits"));
  const ModelManager::Status status = manager_->StateOf("digits", version);
  EXPECT_EQ(status.state, State::kFailed);
  EXPECT_THAT(status.message, HasSubstr("model.onnx"));
  EXPECT_TRUE(absl::IsUnavailable(manager_->AcquireBlocking("digits", std::nullopt).status()));
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  EXPECT_TRUE(Healthy("digits"));
}

class PredictorTest : public ModelManagerTest {
 protected:
  PredictResult Predict(std::vector<PredictImage> images,
                        absl::Time deadline = absl::InfiniteFuture()) {
    Predictor::Options options;
    options.decoders = &decoders_;
    const Predictor predictor(options);
    PredictRequest request;
    request.model = *manager_->AcquireBlocking("digits", std::nullopt);
    request.images = std::move(images);
    request.deadline = deadline;
    PredictResult result;
    absl::Notification done;
    predictor.Predict(std::move(request), [&](PredictResult answer) {
      result = std::move(answer);
      done.Notify();
    });
    EXPECT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
    return result;
  }
  const std::string pixels_ = std::string(16, '\x40');
  DecodeQueue decoders_{{.threads = 1, .slots = &slots_}};
};

TEST_F(PredictorTest, AnswersARowOfProbabilitiesForEachImage) {
  Publish();
  const PredictResult result =
      Predict({{pixels_, PixelShape{4, 4, 1}}, {pixels_, PixelShape{2, 8, 1}}});
  ASSERT_TRUE(result.status.ok()) << result.status;
  ASSERT_EQ(result.outputs.size(), 6u);
  for (int row = 0; row < 2; ++row) {
    const float* p = result.outputs.data() + 3 * row;
    EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-5);
  }
}

TEST_F(PredictorTest, NamesTheFirstImageThatFails) {
  Publish();
  const PredictResult result = Predict({{pixels_, PixelShape{4, 4, 1}}, {"GIF89a", {}}, {"x", {}}});
  EXPECT_TRUE(absl::IsInvalidArgument(result.status)) << result.status;
  EXPECT_EQ(result.failed_image, 1);
}

TEST_F(PredictorTest, DoesNotDecodeWhatIsLate) {
  Publish();
  const PredictResult result = Predict({{"GIF89a", {}}}, absl::UnixEpoch());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(PredictorTest, PixelsOfTheModelsShapeDoNotWaitForDecoding) {
  Publish();
  ASSERT_TRUE(manager_->AcquireBlocking("digits", std::nullopt).ok());  // loading takes all slots
  // Shared: the task may outlive the test's body.
  const auto go_on = std::make_shared<absl::Notification>();
  ASSERT_TRUE(decoders_.TryAdd([go_on] { go_on->WaitForNotification(); }, Priority::kNormal));
  const PredictResult result = Predict({{pixels_, PixelShape{4, 4, 1}}});
  go_on->Notify();
  EXPECT_TRUE(result.status.ok()) << result.status;
}

}  // namespace
}  // namespace fovea::testing
