#include "server/services/watch_reactor.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/jobs/job_state.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {
constexpr int kEventsAtOnce = 64;
}  // namespace

WatchReactor::WatchReactor(const Method& method, grpc::CallbackServerContext* context,
                           Shared* shared)
    : call_(method, context), shared_(shared) {
  shared_->streams.fetch_add(1);
}

WatchReactor::~WatchReactor() { shared_->streams.fetch_sub(1); }

absl::Status WatchReactor::Admit() const {
  if (shared_->streams.load() <= shared_->max_streams) return absl::OkStatus();
  return WithRetryDelay(
      absl::ResourceExhaustedError(absl::StrCat("found ", shared_->max_streams,
                                                " streams of events, the most that may be open")),
      absl::Seconds(5));
}

void WatchReactor::Begin(const std::string& job, uint64_t after_event) {
  job_ = job;
  last_event_ = after_event;
  subscription_ = shared_->feed->Subscribe(job, [this] { Wake(); });
  SchedulePump();
}

void WatchReactor::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  if (busy_) return;
  busy_ = true;
  SchedulePump();
}

void WatchReactor::SchedulePump() {
  shared_->pool->Schedule([this] { Pump(); });
}

void WatchReactor::Pump() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      woken_ = false;
      if (cancelled_) break;
    }
    if (const absl::Status status = ReadMore(); !status.ok()) return End(status);
    if (!queue_.empty()) return WriteNext();
    if (ends_) return End(absl::OkStatus());
    if (ReadProgress()) return WriteNext();
    if (shared_->feed->closed()) {
      return End(WithRetryDelay(
          WithReason(absl::UnavailableError("the server is stopping; the job goes on when it is "
                                            "back, watch it from the last event"),
                     "SERVER_STOPPING"),
          absl::Seconds(1)));
    }
    absl::MutexLock lock(&mutex_);
    if (woken_) continue;
    busy_ = false;
    return;
  }
  End(absl::CancelledError("the client has gone"));
}

absl::Status WatchReactor::ReadMore() {
  // The job before its events: a finished job gets no event between the two reads.
  ASSIGN_OR_RETURN(const v1::Job job, shared_->store->Get(job_));
  ASSIGN_OR_RETURN(std::vector<v1::JobEvent> events,
                   shared_->store->EventsAfter(job_, last_event_, kEventsAtOnce));
  for (v1::JobEvent& event : events) {
    last_event_ = event.number();
    queue_.push_back(std::move(event));
  }
  ends_ = IsFinished(job.state()) && last_event_ >= job.last_event();
  return absl::OkStatus();
}

bool WatchReactor::ReadProgress() {
  std::optional<JobFeed::Latest> latest = shared_->feed->Progress(job_);
  if (!latest.has_value() || latest->sequence <= last_progress_) return false;
  last_progress_ = latest->sequence;
  latest->event.set_number(last_event_);
  queue_.push_back(std::move(latest->event));
  return true;
}

void WatchReactor::WriteNext() {
  writing_ = std::move(queue_.front());
  queue_.pop_front();
  StartWrite(&writing_);
}

void WatchReactor::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the client has gone"));
  if (!queue_.empty()) return WriteNext();
  if (ends_) return End(absl::OkStatus());
  SchedulePump();
}

void WatchReactor::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  Wake();
}

void WatchReactor::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    busy_ = true;  // for ever: no pump begins any more
  }
  subscription_.reset();
  Finish(call_.End(status));  // `this` may be gone from here on
}

}  // namespace fovea
