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
  const Call call_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  Work work_;
};

// A stream of requests, answered in their order while up to kMaxUnderWay are under way, so that
// they fill batches together. A request that fails is answered with its error, and the stream goes
// on. `Answer` is what is sent: Answer::Response(request, message) is where the work writes, and
// Answer::SetError(status, message) says instead why it could not. Lives from the call's arrival to
// OnDone.
template <typename Work, typename Answer>
class WorkStream
    : public grpc::ServerBidiReactor<typename Work::Request, typename Answer::Message> {
 public:
  WorkStream(const Method& method, grpc::CallbackServerContext* context,
             const PredictShared& shared)
      : call_(method, context), shared_(shared) {
    Advance();
  }

  void OnReadDone(bool ok) override {
    Slot* slot = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
      if (ok) {
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
  void OnDone() override { delete this; }

 private:
  static constexpr size_t kMaxUnderWay = 64;

  struct Slot {
    typename Work::Request request;
    typename Answer::Message message;
    std::unique_ptr<Work> work;
    size_t bytes = 0;  // of the request
    bool done = false;
  };

  void Start(Slot* slot) {
    slot->work =
        std::make_unique<Work>(shared_, PredictCaller{absl::Now(), call_.deadline(), cancel_},
                               &slot->request, Answer::Response(slot->request, &slot->message));
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
    {
      absl::MutexLock lock(&mutex_);
      if (broken_) DropFinished();
      if (!ended_ && !broken_ && !reading_ && HasRoom()) {
        reading_ = true;
        slots_.push_back(std::make_unique<Slot>());
        read = slots_.back().get();
      }
      if (!broken_ && !writing_ && !slots_.empty() && slots_.front()->done) {
        writing_ = true;
        write = slots_.front().get();
      }
      end = (ended_ || broken_) && !reading_ && slots_.empty() && !finished_;
      finished_ = finished_ || end;
    }
    if (read != nullptr) this->StartRead(&read->request);
    if (write != nullptr) this->StartWrite(&write->message);
    if (end) this->Finish(call_.End(absl::OkStatus()));
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
  absl::Mutex mutex_;
  std::deque<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mutex_);  // in the order of requests
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;                         // of the requests in slots_
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;                     // into the last slot
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;                     // from the first one
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;                       // the client sends no more
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;                      // the client takes no more
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fovea
