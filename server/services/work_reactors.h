// Reactors around a unit of work that answers one request: PredictWork, InferWork.
//
// `Work` has Request and Response, is made from (PredictShared, PredictCaller, request, response),
// and its Run(done) returns at once. Private to server/services.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/cancel.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/rpc/open_streams.h"
#include "server/services/predict_work.h"

namespace fovea {

// A unary call. Lives from its arrival to OnDone.
template <typename Work>
class WorkReactor : public grpc::ServerUnaryReactor {
 public:
  WorkReactor(const Method& method, grpc::CallbackServerContext* context,
              const PredictShared& shared, const typename Work::Request* request,
              typename Work::Response* response)
      : call_(method, context),
        work_(shared, {call_.arrival(), call_.deadline(), cancel_}, request, response) {
    work_.Run([this](const absl::Status& status) { Finish(call_.End(status)); });
  }

  void OnCancel() override { cancel_->Cancel(); }
  void OnDone() override { delete this; }

 private:
  // Lets gRPC call OnCancel and OnDone, neither of which waits, on the thread that it is on; else
  // each call ends with a change of threads.
  bool InternalInlineable() override { return true; }

  const Call call_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  Work work_;
};

// A stream of requests, answered in their order while up to kMaxUnderWay are under way, so that
// they fill batches together. A request that fails is answered with its error, and the stream goes
// on. `Answer` is what is sent: Answer::Response(request, message) is where the work writes, and
// Answer::SetError(status, message) says instead why it could not. When the server drains, what was
// read is answered, and the stream ends with Unavailable. Lives from the call's arrival to OnDone.
template <typename Work, typename Answer>
class WorkStream : public grpc::ServerBidiReactor<typename Work::Request, typename Answer::Message>,
                   public OpenStreams::Stream {
 public:
  static WorkStream* Open(const Method& method, grpc::CallbackServerContext* context,
                          const PredictShared& shared) {
    const std::shared_ptr<WorkStream> stream(new WorkStream(method, context, shared));
    stream->self_ = stream;
    if (shared.streams->Add(stream)) {
      stream->Advance();
    } else {
      stream->BeginDrain();
    }
    return stream.get();
  }

  void BeginDrain() override {
    {
      absl::MutexLock lock(&mutex_);
      draining_ = true;
    }
    Advance();
  }
  void OnReadDone(bool ok) override {
    Slot* slot = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
      if (ok && !finished_) {
        slot = slots_.back().get();
        slot->bytes = slot->request.ByteSizeLong();
        bytes_ += slot->bytes;
      } else {
        slots_.pop_back();
        ended_ = true;
      }
    }
    if (slot != nullptr) Start(slot);
    Advance();
  }
  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      PopFront();
      broken_ = broken_ || !ok;  // what is under way is still waited for
    }
    Advance();
  }
  void OnCancel() override { cancel_->Cancel(); }
  void OnDone() override {
    shared_.streams->Remove(this);
    const std::shared_ptr<WorkStream> self = std::move(self_);  // dies here, at the soonest
  }

 private:
  static constexpr size_t kMaxUnderWay = 64;

  struct Slot {
    typename Work::Request request;
    typename Answer::Message message;
    std::unique_ptr<Work> work;
    size_t bytes = 0;  // of the request
    bool done = false;
  };

  WorkStream(const Method& method, grpc::CallbackServerContext* context,
             const PredictShared& shared)
      : call_(method, context), shared_(shared) {}

  void Start(Slot* slot) {
    PredictCaller caller{absl::Now(), call_.deadline(), cancel_};
    caller.patient = true;
    slot->work = std::make_unique<Work>(shared_, std::move(caller), &slot->request,
                                        Answer::Response(slot->request, &slot->message));
    slot->work->Run([this, slot](const absl::Status& status) {
      if (!status.ok()) Answer::SetError(status, &slot->message);
      {
        absl::MutexLock lock(&mutex_);
        slot->done = true;
      }
      Advance();
    });
  }

  // Begins what can begin: the next read, the next write, or the end. gRPC is called without the
  // lock, since it may answer on this thread.
  void Advance() {
    Slot* read = nullptr;
    Slot* write = nullptr;
    bool end = false;
    absl::Status status;
    {
      absl::MutexLock lock(&mutex_);
      if (broken_) DropFinished();
      if (!ended_ && !broken_ && !draining_ && !reading_ && HasRoom()) {
        reading_ = true;
        slots_.push_back(std::make_unique<Slot>());
        read = slots_.back().get();
      }
      if (!broken_ && !writing_ && !slots_.empty() && slots_.front()->done) {
        writing_ = true;
        write = slots_.front().get();
      }
      end = HasEnded() && !finished_;
      finished_ = finished_ || end;
      if (end && !ended_ && !broken_) status = Stopping();
    }
    if (read != nullptr) this->StartRead(&read->request);
    if (write != nullptr) this->StartWrite(&write->message);
    if (end) this->Finish(call_.End(status));
  }

  // A drain does not wait for the read that is under way: the client may never send anything.
  bool HasEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (draining_) return slots_.size() == (reading_ ? 1 : 0);
    return (ended_ || broken_) && !reading_ && slots_.empty();
  }
  static absl::Status Stopping() {
    return WithRetryDelay(
        WithReason(absl::UnavailableError("the server is stopping; it has begun no request but "
                                          "those it has answered, send the others again"),
                   "SERVER_STOPPING"),
        absl::Seconds(1));
  }

  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.size() < kMaxUnderWay &&
           bytes_ < static_cast<size_t>(shared_.limits.max_message_bytes);
  }
  void PopFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    bytes_ -= slots_.front()->bytes;
    slots_.pop_front();
  }
  void DropFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!slots_.empty() && slots_.front()->done) PopFront();
  }

  const Call call_;
  const PredictShared& shared_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  std::shared_ptr<WorkStream> self_;  // until OnDone
  absl::Mutex mutex_;
  std::deque<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mutex_);  // in the order of requests
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;                         // of the requests in slots_
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;                     // into the last slot
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;                     // from the first one
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;                       // the client sends no more
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;                      // the client takes no more
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;                    // the server reads no more
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fovea
