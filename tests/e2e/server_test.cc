// The whole way: pictures in, a job, a model, predictions, measures; then everything out again.
#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Numbers of stored events, without gaps; progress repeats the number before it.
void ExpectConsistentNumbers(const std::vector<v1::JobEvent>& events, uint64_t after) {
  uint64_t last = after;
  for (const v1::JobEvent& event : events) {
    EXPECT_EQ(event.number(), event.has_progress() ? last : last + 1) << event.ShortDebugString();
    last = event.number();
  }
}

v1::JobState LastState(const std::vector<v1::JobEvent>& events) {
  return events.empty() ? v1::JOB_STATE_UNSPECIFIED : events.back().state_change().state();
}

// SERVING is 1, NOT_SERVING is 2 (grpc.health.v1); the service's own bytes, by hand.
int Health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  const std::string bytes =
      absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer request(&slice, 1), response;
  const auto context = Context();
  grpc::GenericStub stub(channel);
  absl::Notification done;
  grpc::Status status;
  stub.UnaryCall(context.get(), "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&](grpc::Status result) {
                   status = result;
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) return -static_cast<int>(status.error_code());
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(response.Dump(&slices).ok());
  return slices.empty() || slices[0].size() < 2 ? 0 : slices[0].begin()[1];
}

TEST_F(ServerTest, TrainsEvaluatesPredictsAndDeletes) {
  ImportTiny();
  grpc::Status status;
  const std::vector<v1::JobEvent> events = Train(TinyTraining(20), &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_EQ(LastState(events), v1::JOB_STATE_SUCCEEDED) << events.back().DebugString();
  ExpectConsistentNumbers(events, 0);
  const std::string id = events.front().job_id();
  EXPECT_EQ(GetJob(id).published_version(), 1u);
  EXPECT_FALSE(GetJob(id).choices().empty());

  v1::PredictRequest predict;
  predict.set_model("tiny");
  predict.add_images()->set_encoded(TinyPng(1, 100));
  predict.add_images()->set_encoded(TinyPng(0, 100));
  predict.set_top_k(1);
  v1::PredictResponse answer;
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  EXPECT_EQ(answer.version(), 1u);
  ASSERT_EQ(answer.predictions_size(), 2);
  ASSERT_EQ(answer.predictions(0).labels_size(), 1);
  EXPECT_EQ(answer.predictions(0).labels(0).label(), "right");
  EXPECT_TRUE(answer.predictions(0).labels(0).applies());
  EXPECT_EQ(answer.predictions(1).labels(0).label(), "left");
  EXPECT_TRUE(answer.timings().has_total());

  v1::EvaluateRequest evaluate;
  evaluate.set_model("tiny");
  evaluate.set_dataset("tiny");
  v1::Report report;
  ASSERT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
  EXPECT_EQ(report.split(), v1::SPLIT_TEST);
  EXPECT_EQ(report.measures().examples(), 6u);
  EXPECT_GT(report.measures().single_label().accuracy(), 0.9);

  v1::GetModelRequest get;
  get.set_name("tiny");
  v1::Model model;
  ASSERT_EQ(Text(models_->Get(Context().get(), get, &model)), "OK");
  EXPECT_EQ(model.state(), v1::MODEL_STATE_SERVING);
  EXPECT_GT(model.total_parameters(), 0u);
  ASSERT_GT(model.programs_size(), 1);
  EXPECT_EQ(model.programs(1).batch(), 2u);
  EXPECT_EQ(model.training().job_id(), id);
  v1::ListModelsResponse listed;
  ASSERT_EQ(Text(models_->List(Context().get(), {}, &listed)), "OK");
  ASSERT_EQ(listed.models_size(), 1);
  EXPECT_EQ(listed.models(0).programs_size(), 0);

  EXPECT_EQ(Metric("fovea_images_predicted_total{model=\"tiny\"}"), 2);
  EXPECT_EQ(Metric("fovea_images_evaluated_total"), 6);
  EXPECT_GT(Metric("fovea_images_trained_total"), 0);
  EXPECT_EQ(Metric("fovea_requests_total{code=\"OK\",method=\"fovea.v1.Classifier/Predict\"}"), 1);

  v1::DeleteModelRequest delete_model;
  delete_model.set_name("tiny");
  google::protobuf::Empty empty;
  EXPECT_EQ(Text(models_->Delete(Context().get(), delete_model, &empty)), "OK");
  EXPECT_THAT(Text(classifier_->Predict(Context().get(), predict, &answer)),
              StartsWith("NOT_FOUND"));
  v1::DeleteDatasetRequest delete_dataset;
  delete_dataset.set_name("tiny");
  EXPECT_EQ(Text(datasets_->Delete(Context().get(), delete_dataset, &empty)), "OK");
  EXPECT_THAT(Text(datasets_->Delete(Context().get(), delete_dataset, &empty)),
              StartsWith("NOT_FOUND"));
}

TEST_F(ServerTest, ARequestIdTrainsOnceAndWatchGoesOnFromAnyEvent) {
  ImportTiny();
  v1::TrainRequest request = TinyTraining(2);
  request.set_request_id("once");
  grpc::Status status;
  const std::vector<v1::JobEvent> first = Train(request, &status);
  const std::vector<v1::JobEvent> again = Train(request, &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_FALSE(first.empty() || again.empty());
  EXPECT_EQ(again.front().job_id(), first.front().job_id());
  EXPECT_EQ(again.front().number(), 1u);
  EXPECT_EQ(again.back().number(), first.back().number());
  const std::vector<v1::JobEvent> rest =
      Watch(first.front().job_id(), first.back().number() - 1, &status);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(LastState(rest), v1::JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(Watch(first.front().job_id(), 1000, &status).empty());
  EXPECT_EQ(Text(status), "OK");
}

TEST_F(ServerTest, AKilledTrainerFailsItsJobServingGoesOnAndAResumeFinishes) {
  ImportTiny();
  const auto context = Context();
  const auto reader = classifier_->Train(context.get(), TinyTraining(300));
  v1::JobEvent event;
  bool killed = false;
  std::vector<v1::JobEvent> events;
  while (reader->Read(&event)) {
    events.push_back(event);
    if (killed || !event.has_epoch()) continue;
    const std::vector<int> children = Children("fovea-trainer");
    ASSERT_EQ(children.size(), 1u);
    ASSERT_EQ(kill(children[0], SIGKILL), 0);
    killed = true;
  }
  ASSERT_EQ(Text(reader->Finish()), "OK");
  ASSERT_TRUE(killed);
  ASSERT_EQ(LastState(events), v1::JOB_STATE_FAILED) << events.back().DebugString();
  EXPECT_THAT(events.back().state_change().error().message(), HasSubstr("killed by signal 9"));
  const std::string id = events.front().job_id();
  v1::ListDatasetsResponse list;
  EXPECT_EQ(Text(datasets_->List(Context().get(), {}, &list)), "OK");

  v1::ResumeJobRequest resume;
  resume.set_id(id);
  v1::Job job;
  ASSERT_EQ(Text(jobs_->Resume(Context().get(), resume, &job)), "OK");
  grpc::Status status;
  const uint64_t last = events.back().number();
  const std::vector<v1::JobEvent> rest = Watch(id, last, &status);
  ASSERT_EQ(LastState(rest), v1::JOB_STATE_SUCCEEDED) << rest.back().DebugString();
  ExpectConsistentNumbers(rest, last);
  EXPECT_EQ(GetJob(id).attempt(), 2u);
}

TEST_F(ServerTest, ARestartedServerGoesOnWithItsRunningJobAndItsModels) {
  ImportTiny();
  grpc::Status status;
  ASSERT_EQ(LastState(Train(TinyTraining(2), &status)), v1::JOB_STATE_SUCCEEDED);
  auto context = Context();
  const auto reader = classifier_->Train(context.get(), TinyTraining(100000));
  v1::JobEvent event;
  while (reader->Read(&event) && !event.has_epoch()) {
  }
  ASSERT_TRUE(event.has_epoch());
  const std::string id = event.job_id();
  const uint64_t last = event.number();
  StopServer();
  while (reader->Read(&event)) {
  }
  EXPECT_THAT(Text(reader->Finish()), StartsWith("UNAVAILABLE"));
  StartServer();

  v1::WatchJobRequest watch;
  watch.set_id(id);
  watch.set_after_event(last);
  context = Context();
  const auto rest = jobs_->Watch(context.get(), watch);
  bool resumed = false;
  while (!resumed && rest->Read(&event)) {
    resumed = event.attempt() == 2 && event.state_change().state() == v1::JOB_STATE_RUNNING;
  }
  ASSERT_TRUE(resumed);
  EXPECT_GT(event.step(), 0u);
  v1::PredictRequest predict;
  predict.set_model("tiny");
  predict.add_images()->set_encoded(TinyPng(1, 3));
  v1::PredictResponse answer;
  EXPECT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  v1::DeleteDatasetRequest in_use;
  in_use.set_name("tiny");
  google::protobuf::Empty empty;
  EXPECT_THAT(Text(datasets_->Delete(Context().get(), in_use, &empty)),
              StartsWith("FAILED_PRECONDITION: data set \"tiny\" is used by unfinished job"));
  Cancel(id);
  while (rest->Read(&event)) {
  }
  EXPECT_EQ(Text(rest->Finish()), "OK");
  EXPECT_EQ(event.state_change().state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(ServerTest, HealthIsToldPerServiceAndPerModel) {
  ImportTiny();
  for (const char* service :
       {"", "fovea.v1.Classifier", "fovea.v1.Jobs", "fovea.v1.Models", "fovea.v1.Datasets"}) {
    EXPECT_EQ(Health(channel_, service), 1) << service;
  }
  EXPECT_EQ(Health(channel_, "tiny"), -grpc::StatusCode::NOT_FOUND);
  grpc::Status status;
  Train(TinyTraining(1), &status);
  EXPECT_EQ(Health(channel_, "tiny"), 1);
  v1::DeleteModelRequest remove;
  remove.set_name("tiny");
  google::protobuf::Empty empty;
  ASSERT_EQ(Text(models_->Delete(Context().get(), remove, &empty)), "OK");
  EXPECT_EQ(Health(channel_, "tiny"), 2);
}

TEST_F(ServerTest, TwoServersDoNotShareAFolder) {
  const auto second = App::Start(MakeConfig());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("in use by another fovea-server"));
}

TEST_F(ServerTest, SaysWhyItCannotStart) {
  Config config = MakeConfig();
  config.data_dir = folder_.File("other");
  config.listen = absl::StrCat("127.0.0.1:", app_->grpc_port());
  EXPECT_EQ(App::Start(config).status().code(), absl::StatusCode::kUnavailable);
  config.listen = "127.0.0.1:0";
  config.metrics = absl::StrCat("127.0.0.1:", app_->metrics_port());
  EXPECT_EQ(App::Start(config).status().code(), absl::StatusCode::kUnavailable);
  config.metrics = "127.0.0.1:0";
  config.data_root = folder_.File("missing");
  EXPECT_THAT(App::Start(config).status().message(), HasSubstr("--data-root: found no folder"));
  config.data_root.clear();
  config.trainer = folder_.File("missing");
  EXPECT_EQ(App::Start(config).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  // ServerReflectionRequest { list_services: "" }, by hand.
  const grpc::Slice slice(std::string("\x3a\x00", 2));
  grpc::ByteBuffer request(&slice, 1), response;
  const auto context = Context();
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel_);
  const auto call = stub.PrepareCall(
      context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] { return queue.Next(&tag, &ok) && ok; };
  call->StartCall(nullptr);
  ASSERT_TRUE(next());
  call->Write(request, nullptr);
  ASSERT_TRUE(next());
  call->Read(&response, nullptr);
  ASSERT_TRUE(next());
  std::string text;
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(response.Dump(&slices).ok());
  for (const grpc::Slice& each : slices) text.append(each.begin(), each.end());
  EXPECT_THAT(text, HasSubstr("fovea.v1.Classifier"));
  EXPECT_THAT(text, HasSubstr("grpc.health.v1.Health"));
  context->TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
}

}  // namespace
}  // namespace fovea
