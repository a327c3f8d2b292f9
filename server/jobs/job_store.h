// JobStore: jobs and their numbered events, in one SQLite file.
//
// A job and its event change in one transaction, which is durable (WAL, synchronous=FULL) before
// the function returns: what a watcher has seen survives a crash. Thread-safe: one connection
// behind a mutex. Functions block on I/O.
//
// Errors of all functions: NotFound for an unknown job, DataLoss when the file is damaged,
// ResourceExhausted when the disk is full or the quota is reached, Internal for the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "fovea/v1/jobs.pb.h"

namespace fovea {

class JobStore {
 public:
  struct Options {
    int64_t max_file_bytes = 0;  // quota, for tests of a full disk; 0: none
    const Clock* clock = Clock::Real();
  };
  // Opens the file, making it when it is missing. Unavailable while another process holds it.
  static absl::StatusOr<std::unique_ptr<JobStore>> Open(const std::string& path, Options options);
  virtual ~JobStore() = default;

  struct Created {
    v1::Job job;
    bool is_new = false;  // false: the request id was known
  };
  // Stores a PENDING job with its first event, at the end of the queue. Of `job` the caller fills
  // request_id, model, dataset, dataset_revision, config and choices.
  virtual absl::StatusOr<Created> Create(v1::Job job) = 0;
  // The job of an earlier Create with this id; absent when there is none.
  virtual absl::StatusOr<std::optional<v1::Job>> FindRequest(const std::string& request_id) = 0;

  virtual absl::StatusOr<v1::Job> Get(const std::string& id) = 0;
  // The newest first. `before` is the id of the job to go on after; "" for the newest.
  virtual absl::StatusOr<std::vector<v1::Job>> List(const std::string& before, int limit) = 0;
  // Jobs that are PENDING, the next one to run first.
  virtual absl::StatusOr<std::vector<v1::Job>> Pending() = 0;
  virtual absl::StatusOr<std::vector<v1::Job>> Running() = 0;
  // The id of an unfinished job that learns from this data set; absent when there is none.
  virtual absl::StatusOr<std::optional<std::string>> UserOf(const std::string& dataset) = 0;

  // Stores one event more: `change` edits the job and fills in the event, both in one transaction;
  // an error of it rolls everything back. Number, job id and, where `change` set none, attempt (the
  // job's) and time are filled in. Answers the event as stored.
  using Change = absl::FunctionRef<absl::Status(v1::Job&, v1::JobEvent&)>;
  virtual absl::StatusOr<v1::JobEvent> Append(const std::string& id, Change change) = 0;

  // Events with a greater number, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id,
                                                                uint64_t number, int limit) = 0;
};

}  // namespace fovea
