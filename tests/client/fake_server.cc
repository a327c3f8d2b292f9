#include "tests/client/fake_server.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace fovea::cli::testing {

class FakeServer::DatasetsService final : public v1::Datasets::Service {
 public:
  explicit DatasetsService(FakeServer* fake) : fake_(*fake) {}

  grpc::Status Create(grpc::ServerContext*, const v1::CreateDatasetRequest* request,
                      v1::Dataset* response) override {
    response->set_name(request->name());
    response->set_task(request->task());
    if (!fake_.datasets.emplace(request->name(), *response).second) {
      return grpc::Status(grpc::ALREADY_EXISTS, "data set exists");
    }
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const v1::GetDatasetRequest* request,
                   v1::Dataset* response) override {
    const auto found = fake_.datasets.find(request->name());
    if (found == fake_.datasets.end()) {
      return grpc::Status(grpc::NOT_FOUND, absl::StrCat("no data set \"", request->name(), "\""));
    }
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status Preview(grpc::ServerContext*, const v1::PreviewDatasetRequest* request,
                       v1::DatasetPreview* response) override {
    fake_.previewed = *request;
    response->set_png(fake_.preview_png);
    v1::Choice& choice = *response->add_choices();
    choice.set_name("config.augmentation.rotation.degrees");
    choice.set_value("15");
    choice.set_reason("the default");
    return grpc::Status::OK;
  }
  grpc::Status ImportPath(grpc::ServerContext*, const v1::ImportPathRequest* request,
                          v1::ImportSummary*) override {
    fake_.imported_path = *request;
    return grpc::Status::OK;
  }
  // One data set a page, so that a client that reads only the first page shows it.
  grpc::Status List(grpc::ServerContext*, const v1::ListDatasetsRequest* request,
                    v1::ListDatasetsResponse* response) override {
    auto next = fake_.datasets.upper_bound(request->page_token());
    if (next == fake_.datasets.end()) return grpc::Status::OK;
    *response->add_datasets() = next->second;
    const std::string token = next->first;
    if (++next != fake_.datasets.end()) response->set_next_page_token(token);
    return grpc::Status::OK;
  }
  grpc::Status Import(grpc::ServerContext*, grpc::ServerReader<v1::ImportRequest>* reader,
                      v1::ImportSummary* response) override {
    v1::ImportRequest request;
    while (reader->Read(&request)) {
      if (request.has_header() && fake_.datasets.count(request.header().dataset()) == 0) {
        return grpc::Status(grpc::NOT_FOUND, "no such data set");
      }
      fake_.imported.push_back(request);
    }
    response->set_imported(fake_.imported.size() - 1);
    return grpc::Status::OK;
  }

 private:
  FakeServer& fake_;
};

class FakeServer::ModelsService final : public v1::Models::Service {
 public:
  explicit ModelsService(FakeServer* fake) : fake_(*fake) {}

  grpc::Status Get(grpc::ServerContext*, const v1::GetModelRequest* request,
                   v1::Model* response) override {
    fake_.got_model = *request;
    response->set_name(request->name());
    response->set_task(fake_.model_task);
    return grpc::Status::OK;
  }

  grpc::Status GetServing(grpc::ServerContext*, const v1::GetServingRequest*,
                          v1::Serving* response) override {
    *response = fake_.serving;
    return grpc::Status::OK;
  }
  grpc::Status UpdateServing(grpc::ServerContext*, const v1::UpdateServingRequest* request,
                             v1::Serving* response) override {
    fake_.updated_serving = *request;
    *response = fake_.serving;
    return grpc::Status::OK;
  }

 private:
  FakeServer& fake_;
};

FakeServer::FakeServer()
    : datasets_service_(std::make_unique<DatasetsService>(this)),
      models_service_(std::make_unique<ModelsService>(this)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(static_cast<v1::Classifier::Service*>(this));
  builder.RegisterService(static_cast<v1::Jobs::Service*>(this));
  builder.RegisterService(datasets_service_.get());
  builder.RegisterService(models_service_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status FakeServer::Train(grpc::ServerContext* context, const v1::TrainRequest* request,
                               grpc::ServerWriter<v1::JobEvent>* writer) {
  trained = *request;
  for (const v1::JobEvent& event : train_events) writer->Write(event);
  if (after_train_events) after_train_events();
  while (train_hangs && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  return train_status;
}

grpc::Status FakeServer::Predict(grpc::ServerContext*, const v1::PredictRequest* request,
                                 v1::PredictResponse* response) {
  absl::MutexLock lock(&mutex_);
  ++predicted;
  for (const v1::Image& image : request->images()) {
    if (image.encoded() == bad_image) {
      return grpc::Status(grpc::INVALID_ARGUMENT, "image cannot be decoded");
    }
    // Each image is its own label.
    v1::ScoredLabel* label = response->add_predictions()->add_labels();
    label->set_label(image.encoded());
    label->set_probability(1);
    label->set_applies(true);
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::Evaluate(grpc::ServerContext*, const v1::EvaluateRequest* request,
                                  v1::Report* response) {
  evaluated = *request;
  *response = report;
  return grpc::Status::OK;
}

grpc::Status FakeServer::List(grpc::ServerContext*, const v1::ListJobsRequest*,
                              v1::ListJobsResponse* response) {
  *response->add_jobs() = job;
  return grpc::Status::OK;
}

grpc::Status FakeServer::Get(grpc::ServerContext*, const v1::GetJobRequest* request,
                             v1::Job* response) {
  if (request->id() != job.id()) return grpc::Status(grpc::NOT_FOUND, "no such job");
  *response = job;
  return grpc::Status::OK;
}

grpc::Status FakeServer::Watch(grpc::ServerContext*, const v1::WatchJobRequest* request,
                               grpc::ServerWriter<v1::JobEvent>* writer) {
  if (request->id() != job.id()) return grpc::Status(grpc::NOT_FOUND, "no such job");
  watched_after.push_back(request->after_event());
  for (const v1::JobEvent& event : watch_events) {
    if (event.number() > request->after_event()) writer->Write(event);
  }
  return grpc::Status::OK;
}

v1::JobEvent StateEvent(uint64_t number, v1::JobState state) {
  v1::JobEvent event;
  event.set_job_id("j1");
  event.set_number(number);
  event.mutable_state_change()->set_state(state);
  return event;
}

v1::JobEvent ProgressEvent(uint64_t number, uint64_t step) {
  v1::JobEvent event;
  event.set_job_id("j1");
  event.set_number(number);
  event.set_step(step);
  v1::Progress* progress = event.mutable_progress();
  progress->set_total_epochs(2);
  progress->set_step(step);
  progress->set_total_steps(100);
  progress->set_loss(0.5);
  progress->set_images_per_second(1000);
  progress->mutable_eta()->set_seconds(9);
  return event;
}

v1::JobEvent EpochEvent(uint64_t number, uint32_t epoch, double accuracy) {
  v1::JobEvent event;
  event.set_job_id("j1");
  event.set_number(number);
  event.set_step(epoch * 50);
  event.mutable_epoch()->set_epoch(epoch);
  event.mutable_epoch()->set_train_loss(0.25);
  event.mutable_epoch()->mutable_validation()->mutable_single_label()->set_accuracy(accuracy);
  return event;
}

}  // namespace fovea::cli::testing
