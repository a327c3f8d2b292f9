// FakeServer: Fovea's services, scripted, on a loopback port of the system's choice.
//
// A test fills the fields before the command runs and reads them afterwards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "fovea/v1/classifier.grpc.pb.h"
#include "fovea/v1/datasets.grpc.pb.h"
#include "fovea/v1/jobs.grpc.pb.h"
#include "fovea/v1/models.grpc.pb.h"
#include "grpcpp/server.h"

namespace fovea::cli::testing {

class FakeServer final : public v1::Classifier::Service, public v1::Jobs::Service {
 public:
  FakeServer();
  ~FakeServer() override;

  const std::string& address() const { return address_; }

  // --- what it answers ---
  std::map<std::string, v1::Dataset> datasets;
  std::vector<v1::JobEvent> train_events;  // of Train
  grpc::Status train_status;               // after them
  std::function<void()> after_train_events;
  bool train_hangs = false;                // after them, until the client goes
  std::vector<v1::JobEvent> watch_events;  // of Watch; those after `after_event` are sent
  v1::Job job;                             // of Jobs.Get
  std::string preview_png;                 // of Datasets.Preview
  std::string bad_image;                   // Predict refuses requests that hold it
  v1::Task model_task = v1::TASK_SINGLE_LABEL;
  v1::Report report;
  v1::Serving serving;

  // --- what it was asked ---
  std::vector<v1::ImportRequest> imported;
  v1::TrainRequest trained;
  v1::PreviewDatasetRequest previewed;
  v1::ImportPathRequest imported_path;
  v1::EvaluateRequest evaluated;
  v1::GetModelRequest got_model;
  v1::UpdateServingRequest updated_serving;
  std::vector<uint64_t> watched_after;
  int predicted = 0;  // requests

 private:
  class DatasetsService;
  class ModelsService;

  grpc::Status Train(grpc::ServerContext* context, const v1::TrainRequest* request,
                     grpc::ServerWriter<v1::JobEvent>* writer) override;
  grpc::Status Predict(grpc::ServerContext*, const v1::PredictRequest* request,
                       v1::PredictResponse* response) override;
  grpc::Status Evaluate(grpc::ServerContext*, const v1::EvaluateRequest* request,
                        v1::Report* response) override;
  grpc::Status List(grpc::ServerContext*, const v1::ListJobsRequest* request,
                    v1::ListJobsResponse* response) override;
  grpc::Status Get(grpc::ServerContext*, const v1::GetJobRequest* request,
                   v1::Job* response) override;
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchJobRequest* request,
                     grpc::ServerWriter<v1::JobEvent>* writer) override;

  absl::Mutex mutex_;
  std::unique_ptr<DatasetsService> datasets_service_;
  std::unique_ptr<ModelsService> models_service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// Events of a job "j1".
v1::JobEvent StateEvent(uint64_t number, v1::JobState state);
v1::JobEvent ProgressEvent(uint64_t number, uint64_t step);
v1::JobEvent EpochEvent(uint64_t number, uint32_t epoch, double accuracy);

}  // namespace fovea::cli::testing
