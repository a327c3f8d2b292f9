// Client: Fovea's API as plain function calls.
//
// Answers are the messages of proto/fovea/v1. Errors keep the server's code and message; their
// google.rpc details are payloads (grpc_status.h). A server that cannot be reached is Unavailable.
// Thread-safe: calls may run at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "fovea/v1/classifier.pb.h"
#include "fovea/v1/datasets.pb.h"
#include "fovea/v1/jobs.pb.h"
#include "fovea/v1/models.pb.h"

namespace fovea {

// What happens to a job while it is followed. Both are called on the following thread.
struct JobObserver {
  // Every event, in order; false stops following (the job goes on).
  std::function<bool(const v1::JobEvent&)> on_event;
  // The connection broke and is being tried again. May be empty.
  std::function<void(const absl::Status&)> on_lost;
};

// Names a version in a request that has `version` and `alias`: a decimal number, an alias, or ""
// for neither.
template <typename Request>
void SetVersion(const std::string& version, Request* request) {
  uint64_t number = 0;
  if (absl::SimpleAtoi(version, &number)) {
    request->set_version(number);
  } else if (!version.empty()) {
    request->set_alias(version);
  }
}

class Client {
 public:
  struct Options {
    // Of calls that read or change records. Predict has it too; Import, Evaluate and following a
    // job have no limit.
    absl::Duration call_timeout = absl::Seconds(60);
    // For how long a broken connection is tried again while a job is followed.
    absl::Duration reconnect_timeout = absl::Seconds(60);
  };

  // The next item to import, or none at the end. An error ends the import and is its result.
  using NextItem = absl::FunctionRef<absl::StatusOr<std::optional<v1::ImportItem>>()>;

  // `address` is host:port. Does not wait for the server: the first call tells.
  Client(const std::string& address, Options options);
  explicit Client(const std::string& address) : Client(address, Options()) {}
  ~Client();

  absl::StatusOr<v1::Dataset> CreateDataset(const v1::CreateDatasetRequest& request);
  absl::StatusOr<v1::Dataset> GetDataset(const std::string& name);
  absl::StatusOr<std::vector<v1::Dataset>> ListDatasets();
  absl::Status DeleteDataset(const std::string& name);
  // Streams items to the server; nothing is kept unless the summary arrives.
  absl::StatusOr<v1::ImportSummary> Import(const v1::ImportHeader& header, NextItem next);
  absl::StatusOr<v1::ImportSummary> ImportPath(const v1::ImportPathRequest& request);
  absl::StatusOr<v1::DatasetPreview> PreviewDataset(const v1::PreviewDatasetRequest& request);

  // Starts a job and follows it to its end. Returns the job as it then is; its state says how it
  // ended. Survives a lost connection: goes on after the last event seen.
  absl::StatusOr<v1::Job> Train(const v1::TrainRequest& request, const JobObserver& observer);
  // Follows a job from the event after `after_event`. Returns as Train does.
  absl::StatusOr<v1::Job> Watch(const std::string& id, uint64_t after_event,
                                const JobObserver& observer);
  absl::StatusOr<std::vector<v1::Job>> ListJobs();
  absl::StatusOr<v1::Job> GetJob(const std::string& id);
  absl::StatusOr<v1::Job> CancelJob(const std::string& id);
  absl::StatusOr<v1::Job> ResumeJob(const std::string& id);

  absl::StatusOr<v1::PredictResponse> Predict(const v1::PredictRequest& request);
  absl::StatusOr<v1::Report> Evaluate(const v1::EvaluateRequest& request);

  // All versions of one model, or of all models when `name` is empty.
  absl::StatusOr<std::vector<v1::Model>> ListModels(const std::string& name);
  // `version` as SetVersion has it.
  absl::StatusOr<v1::Model> GetModel(const std::string& name, const std::string& version);
  absl::Status DeleteModel(const std::string& name, std::optional<uint64_t> version);
  absl::StatusOr<v1::Serving> GetServing(const std::string& name);
  absl::StatusOr<v1::Serving> UpdateServing(const v1::UpdateServingRequest& request);

  // Ends calls under way and refuses later ones, all with Cancelled. May be called at any time.
  void Cancel();

 private:
  class Connection;  // keeps gRPC's headers out of this one
  const std::unique_ptr<Connection> connection_;
};

}  // namespace fovea
