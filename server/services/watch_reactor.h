// One stream of a job's events (Classifier.Train, Jobs.Watch): the stored ones from a number on,
// then live ones, until the event that finishes the job.
//
// Stored events are read in small batches on a worker thread as fast as the client takes them; of
// progress only the latest is kept, so a slow client costs no memory. Ends with Unavailable when
// the server stops: the client goes on with Watch. Private to server/services.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"
#include "fovea/v1/jobs.pb.h"
#include "grpcpp/support/server_callback.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_store.h"
#include "server/rpc/call.h"

namespace fovea {

class WatchReactor : public grpc::ServerWriteReactor<v1::JobEvent> {
 public:
  struct Shared {  // by all streams; outlives them
    JobStore* store = nullptr;
    JobFeed* feed = nullptr;
    ThreadPool* pool = nullptr;  // unbounded
    int max_streams = 0;
    std::atomic<int> streams = 0;
  };

  WatchReactor(const Method& method, grpc::CallbackServerContext* context, Shared* shared);
  ~WatchReactor() override;

  // One of the two, once, from any thread. Nothing of `this` may be touched afterwards.
  void Begin(const std::string& job, uint64_t after_event);
  void Refuse(const absl::Status& status) { End(status); }
  // ResourceExhausted when there are too many streams; asked before Begin.
  absl::Status Admit() const;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  void Wake();          // something may be new
  void SchedulePump();  // busy_ is set
  void Pump();
  absl::Status ReadMore();  // fills queue_ or sets ends_
  bool ReadProgress();      // fills queue_ with the latest progress if it is new
  void WriteNext();
  void End(const absl::Status& status);

  const Call call_;
  Shared* const shared_;
  // Of whoever is busy: the pump or the write in flight.
  std::string job_;
  uint64_t last_event_ = 0;     // number of the last stored event in or before queue_
  uint64_t last_progress_ = 0;  // sequence of the last progress sent
  std::deque<v1::JobEvent> queue_;
  v1::JobEvent writing_;
  bool ends_ = false;  // the queue's last event finishes the job
  std::unique_ptr<JobFeed::Subscription> subscription_;

  absl::Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = true;  // until Begin
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fovea
