// Versions, policies and aliases over the wire, and two servers on one folder of models.
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "inference/inference.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class VersionsTest : public ServerTest {
 protected:
  Config MakeConfig() const override {
    Config config = ServerTest::MakeConfig();
    config.models_dir = folder_.File("models");
    config.repository_poll = absl::Milliseconds(10);
    return config;
  }

  // Versions 1 to `count` of the model "tiny".
  void TrainTiny(int count) {
    ImportTiny();
    for (int i = 0; i < count; ++i) {
      grpc::Status status;
      const std::vector<v1::JobEvent> events = Train(TinyTraining(1), &status);
      ASSERT_EQ(Text(status), "OK");
      ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
    }
  }
  static v1::UpdateServingRequest Update() {
    v1::UpdateServingRequest request;
    request.set_name("tiny");
    return request;
  }
  static v1::UpdateServingRequest Alias(const std::string& alias, uint64_t version) {
    v1::UpdateServingRequest request = Update();
    (*request.mutable_aliases())[alias] = version;
    return request;
  }
  std::string Apply(const v1::UpdateServingRequest& request) {
    return Text(models_->UpdateServing(Context().get(), request, &serving_));
  }
  // "version 2", or the error.
  static std::string Predict(v1::Classifier::Stub& classifier, const std::string& alias) {
    v1::PredictRequest request;
    request.set_model("tiny");
    if (!alias.empty()) request.set_alias(alias);
    request.add_images()->set_encoded(TinyPng(1, 3));
    v1::PredictResponse answer;
    const grpc::Status status = classifier.Predict(Context().get(), request, &answer);
    return status.ok() ? absl::StrCat("version ", answer.version()) : Text(status);
  }
  std::string Predict(const std::string& alias) { return Predict(*classifier_, alias); }
  v1::Model GetModel(uint64_t version) {
    v1::GetModelRequest request;
    request.set_name("tiny");
    request.set_version(version);
    v1::Model model;
    EXPECT_EQ(Text(models_->Get(Context().get(), request, &model)), "OK");
    return model;
  }

  v1::Serving serving_;
};

TEST_F(VersionsTest, AliasesAndPolicyDecideWhoAnswersAndOutliveTheServer) {
  TrainTiny(3);
  EXPECT_EQ(Predict(""), "version 3");
  EXPECT_THAT(Predict("stable"), StartsWith("NOT_FOUND: model \"tiny\" has no alias \"stable\""));
  EXPECT_THAT(Predict("7"), StartsWith("INVALID_ARGUMENT"));
  ASSERT_EQ(Apply(Alias("stable", 1)), "OK");
  EXPECT_EQ(serving_.policy().latest(), 1u);
  EXPECT_EQ(Predict("stable"), "version 1");
  EXPECT_EQ(GetModel(1).state(), v1::MODEL_STATE_SERVING);
  EXPECT_THAT(GetModel(1).aliases(), ElementsAre("stable"));
  EXPECT_EQ(GetModel(2).state(), v1::MODEL_STATE_STORED);

  v1::UpdateServingRequest request = Alias("canary", 3);
  request.mutable_policy()->mutable_versions()->add_versions(2);
  ASSERT_EQ(Apply(request), "OK");
  EXPECT_EQ(Predict(""), "version 2");
  EXPECT_EQ(Predict("canary"), "version 3");
  StopServer();
  StartServer();
  EXPECT_EQ(Predict(""), "version 2");
  EXPECT_EQ(Predict("canary"), "version 3");
  EXPECT_EQ(Predict("stable"), "version 1");

  v1::EvaluateRequest evaluate;
  evaluate.set_model("tiny");
  evaluate.set_alias("stable");
  evaluate.set_dataset("tiny");
  v1::Report report;
  EXPECT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
  v1::GetModelRequest get;
  get.set_name("tiny");
  get.set_alias("canary");
  v1::Model model;
  ASSERT_EQ(Text(models_->Get(Context().get(), get, &model)), "OK");
  EXPECT_EQ(model.version(), 3u);

  v1::DeleteModelRequest remove;
  remove.set_name("tiny");
  remove.set_version(1);
  google::protobuf::Empty empty;
  EXPECT_THAT(Text(models_->Delete(Context().get(), remove, &empty)),
              StartsWith("FAILED_PRECONDITION: model \"tiny\" version 1 has the alias \"stable\""));
  request = Update();
  request.add_remove_aliases("stable");
  ASSERT_EQ(Apply(request), "OK");
  EXPECT_EQ(Text(models_->Delete(Context().get(), remove, &empty)), "OK");
  v1::GetServingRequest about;
  about.set_name("tiny");
  ASSERT_EQ(Text(models_->GetServing(Context().get(), about, &serving_)), "OK");
  EXPECT_EQ(serving_.aliases_size(), 1);
}

TEST_F(VersionsTest, ARefusedChangeNamesWhatIsWrongAndChangesNothing) {
  EXPECT_THAT(Apply(Update()), StartsWith("NOT_FOUND: no model \"tiny\""));
  TrainTiny(1);
  EXPECT_THAT(Apply(Alias("12", 1)), StartsWith("INVALID_ARGUMENT: found alias \"12\""));
  EXPECT_THAT(Apply(Alias("stable", 2)),
              StartsWith("NOT_FOUND: alias \"stable\": found version 2"));
  v1::UpdateServingRequest request = Alias("stable", 1);
  request.mutable_policy()->set_latest(0);
  EXPECT_THAT(Apply(request), StartsWith("INVALID_ARGUMENT: policy: found latest 0"));
  request = Alias("stable", 1);
  request.add_remove_aliases("stable");
  EXPECT_THAT(Apply(request), HasSubstr("remove_aliases: found \"stable\""));
  request = Update();
  request.add_remove_aliases("canary");
  EXPECT_THAT(Apply(request), StartsWith("NOT_FOUND: model \"tiny\" has no alias \"canary\""));
  ASSERT_EQ(Apply(Update()), "OK");
  EXPECT_TRUE(serving_.aliases().empty());
}

TEST_F(VersionsTest, TheOpenInferenceProtocolKnowsAliasesAndTakesModelsOutOfService) {
  TrainTiny(2);
  ASSERT_EQ(Apply(Alias("stable", 1)), "OK");
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  const auto infer = [&](const std::string& version) {
    inference::ModelInferRequest request;
    request.set_model_name("tiny");
    request.set_model_version(version);
    auto* input = request.add_inputs();
    input->set_name("pixels");
    input->set_datatype("UINT8");
    for (const int64_t dim : {1, 8, 8, 1}) input->add_shape(dim);
    request.add_raw_input_contents(std::string(64, '\x20'));
    inference::ModelInferResponse response;
    const grpc::Status status = stub->ModelInfer(Context().get(), request, &response);
    return status.ok() ? response.model_version() : Text(status);
  };
  EXPECT_EQ(infer(""), "2");
  EXPECT_EQ(infer("stable"), "1");
  EXPECT_THAT(infer("canary"), StartsWith("NOT_FOUND"));
  inference::ModelStatisticsRequest about;
  about.set_name("tiny");
  about.set_version("stable");
  inference::ModelStatisticsResponse statistics;
  ASSERT_EQ(Text(stub->ModelStatistics(Context().get(), about, &statistics)), "OK");
  ASSERT_EQ(statistics.model_stats_size(), 1);
  EXPECT_EQ(statistics.model_stats(0).version(), "1");

  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("tiny");
  inference::RepositoryModelUnloadResponse unloaded;
  ASSERT_EQ(Text(stub->RepositoryModelUnload(Context().get(), unload, &unloaded)), "OK");
  for (const char* version : {"", "1", "stable"}) {
    EXPECT_THAT(infer(version), StartsWith("UNAVAILABLE: model \"tiny\" was unloaded"));
  }
  inference::ModelReadyRequest ready;
  ready.set_name("tiny");
  inference::ModelReadyResponse is_ready;
  ASSERT_EQ(Text(stub->ModelReady(Context().get(), ready, &is_ready)), "OK");
  EXPECT_FALSE(is_ready.ready());
  inference::RepositoryIndexResponse index;
  ASSERT_EQ(Text(stub->RepositoryIndex(Context().get(), {}, &index)), "OK");
  ASSERT_EQ(index.models_size(), 2);
  EXPECT_EQ(index.models(0).reason(), "unloaded");
  EXPECT_EQ(index.models(1).reason(), "unloaded");

  inference::RepositoryModelLoadRequest load;
  load.set_model_name("tiny");
  (*load.mutable_parameters())["config"].set_string_param("{}");
  inference::RepositoryModelLoadResponse loaded;
  EXPECT_THAT(Text(stub->RepositoryModelLoad(Context().get(), load, &loaded)),
              StartsWith("UNIMPLEMENTED: parameters: found \"config\""));
  load.clear_parameters();
  ASSERT_EQ(Text(stub->RepositoryModelLoad(Context().get(), load, &loaded)), "OK");
  EXPECT_EQ(infer(""), "2");
  EXPECT_EQ(infer("stable"), "1");
  load.set_model_name("other");
  unload.set_model_name("other");
  EXPECT_THAT(Text(stub->RepositoryModelLoad(Context().get(), load, &loaded)),
              StartsWith("NOT_FOUND"));
  EXPECT_THAT(Text(stub->RepositoryModelUnload(Context().get(), unload, &unloaded)),
              StartsWith("NOT_FOUND"));
}

TEST_F(VersionsTest, AServerFollowsWhatAnotherOneDoesToTheModelsTheyShare) {
  TrainTiny(1);
  Config config = MakeConfig();
  config.data_dir = folder_.File("other");
  auto other = App::Start(config);
  ASSERT_TRUE(other.ok()) << other.status();
  const auto classifier = v1::Classifier::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", (*other)->grpc_port()), grpc::InsecureChannelCredentials()));
  const auto answers = [&](const std::string& alias) { return Predict(*classifier, alias); };
  // The other server sees it at one of its next looks.
  const auto becomes = [&](const std::string& alias, const std::string& expected) {
    const absl::Time late = absl::Now() + absl::Seconds(60);
    while (answers(alias) != expected && absl::Now() < late) std::this_thread::yield();
    EXPECT_EQ(answers(alias), expected);
  };
  EXPECT_EQ(answers(""), "version 1");
  ASSERT_EQ(Apply(Alias("stable", 1)), "OK");
  becomes("stable", "version 1");
  grpc::Status status;
  Train(TinyTraining(1), &status);
  becomes("", "version 2");
  ASSERT_EQ(Apply(Alias("stable", 2)), "OK");
  becomes("stable", "version 2");
  v1::UpdateServingRequest request = Update();
  request.add_remove_aliases("stable");
  ASSERT_EQ(Apply(request), "OK");
  v1::DeleteModelRequest remove;
  remove.set_name("tiny");
  remove.set_version(2);
  google::protobuf::Empty empty;
  ASSERT_EQ(Text(models_->Delete(Context().get(), remove, &empty)), "OK");
  becomes("", "version 1");
}

}  // namespace
}  // namespace fovea
