#include "server/serving/batcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/scoped_width.h"

namespace fovea {

struct Batcher::Pending {
  std::unique_ptr<BatchRequest> request;
  absl::Duration added;  // Clock::Elapsed
  int next = 0;          // images before this one are in a batch

  absl::Mutex mutex;  // executors finish parts of one request side by side
  int unfinished ABSL_GUARDED_BY(mutex) = 0;
  absl::Status status ABSL_GUARDED_BY(mutex);

  int left() const { return request->count - next; }
};

Batcher::Batcher(Options options, EngineFactory factory)
    : options_(std::move(options)),
      factory_(std::move(factory)),
      idle_(options_.executors),
      times_(options_.times) {
  for (int i = 0; i < options_.executors; ++i) {
    threads_.emplace_back([this] { RunExecutor(); });
  }
}

Batcher::~Batcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Batcher::Add(std::unique_ptr<BatchRequest>& request) {
  const absl::Duration time_left = request->deadline - options_.clock->Now();
  absl::MutexLock lock(&mutex_);
  const QueueState state = StateLocked();
  switch (Admit(options_.policy, state, request->count, time_left)) {
    case Admission::kFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("model \"", options_.name, "\": found ", state.queued,
                       " images waiting, expected at most ", options_.policy.max_queue, " with ",
                       request->count, " more"));
    case Admission::kLate:
      return absl::DeadlineExceededError(
          absl::StrCat("model \"", options_.name, "\": the answer is expected in ",
                       absl::FormatDuration(ExpectedTime(options_.policy, state, request->count)),
                       ", the deadline is in ",
                       absl::FormatDuration(std::max(time_left, absl::ZeroDuration()))));
    case Admission::kAccept:
      break;
  }
  request->output.resize(static_cast<size_t>(request->count) *
                         static_cast<size_t>(options_.outputs));
  auto pending = std::make_shared<Pending>();
  pending->added = options_.clock->Elapsed();
  pending->request = std::move(request);
  {
    absl::MutexLock pending_lock(&pending->mutex);
    pending->unfinished = pending->request->count;
  }
  queued_ += pending->request->count;
  arrivals_.Add(pending->request->count, pending->added);
  earliest_ = std::min(earliest_, pending->request->deadline);
  options_.metrics.queue_depth.Add(pending->request->count);
  const int wanted = std::min(pending->request->count, options_.executors);
  queue_.push_back(std::move(pending));
  for (int i = 0; i < wanted; ++i) changed_.Signal();
  return absl::OkStatus();
}

int Batcher::queued() const {
  absl::MutexLock lock(&mutex_);
  return queued_;
}

void Batcher::RunExecutor() {
  const ScopedWidth width(options_.width);
  std::unique_ptr<BatchEngine> engine;
  while (WaitForWork()) {
    std::vector<Part> parts, dropped;
    absl::Status status;
    absl::Duration compute;
    {
      // The slot first, the batch then: while all cores are busy, the batch grows.
      const CpuSlots::Hold hold(*options_.slots, options_.width);
      parts = TakeBatch(&dropped);
      if (!parts.empty()) {
        const absl::Duration begin = options_.clock->Elapsed();
        if (engine == nullptr) {
          absl::StatusOr<std::unique_ptr<BatchEngine>> made = factory_();
          status = made.status();
          if (made.ok()) engine = *std::move(made);
        }
        if (status.ok()) status = Compute(*engine, parts);
        compute = options_.clock->Elapsed() - begin;
      }
    }
    Finish(parts, status, compute);
    for (const Part& part : dropped) {
      const bool cancelled = !CheckNotCancelled(part.pending->request->cancel.get()).ok();
      Finish({part},
             cancelled ? absl::CancelledError("the client has gone")
                       : absl::DeadlineExceededError("the deadline passed in the queue"),
             absl::ZeroDuration());
    }
    absl::MutexLock lock(&mutex_);
    ++idle_;
  }
}

bool Batcher::WaitForWork() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    if (queue_.empty()) {
      if (stopping_) return false;
      changed_.Wait(&mutex_);
      continue;
    }
    const BatchDecision decision = DecideBatch(options_.policy, StateLocked());
    if (decision.take > 0 || stopping_) return true;
    changed_.WaitWithTimeout(&mutex_, decision.wait);
  }
}

std::vector<Batcher::Part> Batcher::TakeBatch(std::vector<Part>* dropped) {
  absl::MutexLock lock(&mutex_);
  DropLate(dropped);
  // While this one waited for a core, another executor may have taken what was due.
  QueueState state = StateLocked();
  if (stopping_) state.oldest_wait = absl::InfiniteDuration();
  int take = DecideBatch(options_.policy, state).take;
  --idle_;
  std::vector<Part> parts;
  while (take > 0 && !queue_.empty()) {
    const std::shared_ptr<Pending>& pending = queue_.front();
    const int count = std::min(take, pending->left());
    parts.push_back({pending, pending->next, pending->next + count});
    pending->next += count;
    take -= count;
    queued_ -= count;
    options_.metrics.queue_depth.Add(-count);
    pending->request->queue = options_.clock->Elapsed() - pending->added;
    if (pending->left() == 0) queue_.pop_front();
  }
  return parts;
}

void Batcher::DropLate(std::vector<Part>* dropped) {
  const absl::Time now = options_.clock->Now();
  earliest_ = absl::InfiniteFuture();
  std::erase_if(queue_,
                [&](const std::shared_ptr<Pending>& pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                  const BatchRequest& request = *pending->request;
                  const bool cancelled = request.cancel != nullptr && request.cancel->cancelled();
                  if (!cancelled && request.deadline > now) {
                    earliest_ = std::min(earliest_, request.deadline);
                    return false;
                  }
                  queued_ -= pending->left();
                  options_.metrics.queue_depth.Add(-pending->left());
                  dropped->push_back({pending, pending->next, request.count});
                  return true;
                });
}

absl::Status Batcher::Compute(BatchEngine& engine, const std::vector<Part>& parts) {
  std::vector<const uint8_t*> examples;
  for (const Part& part : parts) {
    for (int i = part.begin; i < part.end; ++i) {
      examples.push_back(part.pending->request->pixels.get() + i * options_.example_bytes);
    }
  }
  const int count = static_cast<int>(examples.size());
  const size_t row = static_cast<size_t>(options_.outputs);
  std::vector<float> output(static_cast<size_t>(count) * row);
  const absl::Duration begin = options_.clock->Elapsed();
  const absl::Status status = engine.Run(examples, output.data());
  if (!status.ok()) {
    LogError("batch failed", {{"model", options_.name}, {"batch", count}, {"status", status}});
    return status;
  }
  if (options_.statistics != nullptr) ++options_.statistics->batches;
  Learn(options_.clock->Elapsed() - begin, count);
  const float* source = output.data();
  for (const Part& part : parts) {
    const size_t floats = static_cast<size_t>(part.end - part.begin) * row;
    std::copy_n(source, floats, part.pending->request->output.data() + part.begin * row);
    source += floats;
  }
  options_.metrics.batch_size.Observe(count);
  options_.model_metrics.images.Add(count);
  options_.model_metrics.flops.Add(engine.last_flops());
  return absl::OkStatus();
}

void Batcher::Finish(const std::vector<Part>& parts, const absl::Status& status,
                     absl::Duration compute) {
  for (const Part& part : parts) {
    Pending& pending = *part.pending;
    absl::Status final_status;
    {
      absl::MutexLock lock(&pending.mutex);
      if (!status.ok()) pending.status = status;
      pending.request->compute = std::max(pending.request->compute, compute);
      pending.unfinished -= part.end - part.begin;
      if (pending.unfinished > 0) continue;
      final_status = pending.status;
    }
    pending.request->done(*pending.request, final_status);
  }
}

QueueState Batcher::StateLocked() const {
  QueueState state;
  state.queued = queued_;
  state.executors = options_.executors;
  state.idle_executors = idle_;
  const absl::Duration now = options_.clock->Elapsed();
  if (!queue_.empty()) state.oldest_wait = now - queue_.front()->added;
  state.time_left = earliest_ - options_.clock->Now();
  state.arrival_rate = arrivals_.At(now);
  state.times = times_;
  return state;
}

void Batcher::Learn(absl::Duration time, int count) {
  absl::MutexLock lock(&mutex_);
  times_.Learn(count, time);
}

}  // namespace fovea
