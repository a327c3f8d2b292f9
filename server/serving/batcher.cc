#include "server/serving/batcher.h"

#include <pthread.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"

namespace fovea {
namespace {

// Of so many batches one begins with the image that waits longest, whatever its priority.
constexpr int kBatchesByPriority = 8;

// How much the newest picture counts in the time of decoding.
constexpr double kNewestDecode = 0.05;

}  // namespace

struct Batcher::Pending {
  std::unique_ptr<BatchRequest> request;
  absl::Duration added;  // Clock::Elapsed
  int next = 0;          // images before this one are in a batch

  absl::Mutex mutex;  // executors finish parts of one request side by side
  int unfinished ABSL_GUARDED_BY(mutex) = 0;
  absl::Status status ABSL_GUARDED_BY(mutex);

  int left() const { return request->count - next; }
};

Batcher::Batcher(Options options, EngineFactory factory, EngineFactory wide_factory)
    : options_(std::move(options)),
      factory_(std::move(factory)),
      wide_factory_(std::move(wide_factory)),
      idle_(options_.executors),
      times_(options_.times),
      wide_times_(options_.wide_times) {
  for (int i = 0; i < options_.executors; ++i) {
    threads_.emplace_back([this] { RunExecutor(Mode::kNarrow); });
    pthread_setname_np(threads_.back().native_handle(), "executor");
  }
  if (options_.wide_batch > 0) threads_.emplace_back([this] { RunExecutor(Mode::kWide); });
}

Batcher::~Batcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
    wide_changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Batcher::Reserve(BatchRequest& request) {
  std::vector<Part> displaced;
  {
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(CheckAdmission(request, /*decoded=*/false));
    displaced = Displace(request.priority, request.count);
    request.reserved = request.count;
    coming_[static_cast<int>(request.priority)] += request.count;
  }
  FinishDisplaced(displaced);
  return absl::OkStatus();
}

void Batcher::Withdraw(BatchRequest& request) {
  absl::MutexLock lock(&mutex_);
  Release(request);
}

void Batcher::Release(BatchRequest& request) {
  coming_[static_cast<int>(request.priority)] -= request.reserved;
  request.reserved = 0;
}

absl::Status Batcher::Add(std::unique_ptr<BatchRequest>& request) {
  std::vector<Part> displaced;
  {
    absl::MutexLock lock(&mutex_);
    if (request->reserved == 0) {
      RETURN_IF_ERROR(CheckAdmission(*request, /*decoded=*/true));
      displaced = Displace(request->priority, request->count);
    }
    Release(*request);
    Enqueue(std::move(request));
  }
  FinishDisplaced(displaced);
  return absl::OkStatus();
}

void Batcher::FinishDisplaced(const std::vector<Part>& displaced) {
  for (const Part& part : displaced) {
    Finish({part}, absl::ResourceExhaustedError(absl::StrCat(
                       "model \"", options_.name,
                       "\": the queue is full, and a request of higher priority came")));
  }
}

absl::Status Batcher::CheckAdmission(BatchRequest& request, bool decoded) const {
  const QueueState state = StateLocked();
  const Newcomer newcomer = Describe(request, decoded);
  const Admission admission = Admit(options_.policy, state, newcomer);
  if (admission == Admission::kAccept) return absl::OkStatus();
  request.retry_delay = RetryDelay(options_.policy, state, newcomer, admission);
  if (admission == Admission::kFull) return FullError(state, newcomer);
  const absl::Duration expected =
      ExpectedTime(options_.policy, state, newcomer.ahead + newcomer.count,
                   newcomer.coming_ahead + (decoded ? 0 : newcomer.count));
  return absl::DeadlineExceededError(
      absl::StrCat("model \"", options_.name, "\": the answer is expected in ",
                   absl::FormatDuration(expected), ", the deadline is in ",
                   absl::FormatDuration(std::max(newcomer.time_left, absl::ZeroDuration()))));
}

absl::Status Batcher::FullError(const QueueState& state, const Newcomer& newcomer) const {
  const int waiting = state.queued + state.coming;
  if (waiting - newcomer.displaceable + newcomer.count > options_.policy.max_queue) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "model \"", options_.name, "\": found ", waiting, " images waiting, expected at most ",
        options_.policy.max_queue, " with ", newcomer.count, " more"));
  }
  const absl::Duration wait =
      ExpectedTime(options_.policy, state, newcomer.ahead, newcomer.coming_ahead);
  return absl::ResourceExhaustedError(absl::StrCat(
      "model \"", options_.name, "\": found ", newcomer.ahead, " images ahead that take about ",
      absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(1))), ", expected at most ",
      absl::FormatDuration(options_.policy.max_wait), " of work"));
}

Newcomer Batcher::Describe(const BatchRequest& request, bool decoded) const {
  Newcomer newcomer;
  newcomer.count = request.count;
  newcomer.time_left = request.deadline - options_.clock->Now();
  newcomer.ahead = queued_;
  newcomer.decoded = decoded;
  newcomer.patient = request.patient;
  for (int level = 0; level < kPriorities; ++level) {
    if (level <= static_cast<int>(request.priority)) {
      newcomer.coming_ahead += coming_[level];
      continue;
    }
    newcomer.displaceable += coming_[level];  // they are not displaced, but do not count either
    for (const std::shared_ptr<Pending>& pending : queues_[level]) {
      newcomer.ahead -= pending->left();
      if (pending->next == 0) newcomer.displaceable += pending->left();
    }
  }
  newcomer.ahead += newcomer.coming_ahead;
  return newcomer;
}

int Batcher::Coming() const { return std::accumulate(coming_.begin(), coming_.end(), 0); }

std::vector<Batcher::Part> Batcher::Displace(Priority priority, int count) {
  std::vector<Part> displaced;
  for (int level = kPriorities - 1; level > static_cast<int>(priority); --level) {
    Queue& queue = queues_[level];
    // A request that is begun is the first of its queue.
    while (queued_ + Coming() + count > options_.policy.max_queue && !queue.empty() &&
           queue.back()->next == 0) {
      const std::shared_ptr<Pending>& pending = queue.back();
      pending->request->retry_delay = ExpectedTime(options_.policy, StateLocked(), count);
      displaced.push_back({pending, 0, pending->left()});
      CountQueued(-pending->left());
      queue.pop_back();
    }
  }
  return displaced;
}

void Batcher::Enqueue(std::unique_ptr<BatchRequest> request) {
  request->output.resize(static_cast<size_t>(request->count) *
                         static_cast<size_t>(options_.outputs));
  auto pending = std::make_shared<Pending>();
  pending->added = options_.clock->Elapsed();
  pending->request = std::move(request);
  const int count = pending->left();
  {
    absl::MutexLock pending_lock(&pending->mutex);
    pending->unfinished = count;
  }
  CountQueued(count);
  arrivals_.Add(count, pending->added);
  earliest_ = std::min(earliest_, pending->request->deadline);
  queues_[static_cast<int>(pending->request->priority)].push_back(std::move(pending));
  if (wide_running_) return;  // at its end it looks at the queue itself
  const bool wide = DecideBatch(options_.policy, StateLocked()).wide;
  Wake(wide ? Mode::kWide : Mode::kNarrow, count);
}

int Batcher::queued() const {
  absl::MutexLock lock(&mutex_);
  return queued_;
}

void Batcher::LearnDecode(absl::Duration time) {
  absl::MutexLock lock(&mutex_);
  decode_time_ = decode_time_ == absl::ZeroDuration()
                     ? time
                     : decode_time_ * (1 - kNewestDecode) + time * kNewestDecode;
}

void Batcher::RunExecutor(Mode mode) {
  const bool wide = mode == Mode::kWide;
  const ScopedWidth width(wide ? options_.slots->total() : options_.width);
  if (wide) SpreadThreads();
  std::unique_ptr<BatchEngine> engine;
  while (WaitForWork(mode)) {
    if (!wide) {
      RunNarrow(engine);
      continue;
    }
    Outcome outcome;
    {
      const CpuSlots::TryHoldAll hold(*options_.slots);
      if (!hold.held()) continue;  // somebody was faster: the queue is the executors'
      outcome = RunBatch(mode, engine);
    }
    End(mode, outcome);
  }
}

void Batcher::RunNarrow(std::unique_ptr<BatchEngine>& engine) {
  // The slot first, the batch then: while all cores are busy, the batch grows.
  const CpuSlots::Hold hold(*options_.slots, options_.width);
  do {
    DecodeFirst();
    End(Mode::kNarrow, RunBatch(Mode::kNarrow, engine));
  } while (KeepsSlot());
}

void Batcher::DecodeFirst() {
  if (!Decodes()) return;  // on one of several threads it would let the others idle
  int wanted = 0;
  {
    absl::MutexLock lock(&mutex_);
    wanted = WellFilled(options_.policy, StateLocked());
  }
  // At least one, whatever waits here: what is decoded may be another version's.
  for (int i = 0; i < wanted && options_.decoders->RunOne() && queued() < wanted; ++i) {
  }
}

bool Batcher::KeepsSlot() {
  if (!Decodes() || options_.slots->IsContended()) return false;
  const bool decodes = !options_.decoders->empty();
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  QueueState state = StateLocked();
  state.cores_free = false;
  return decodes || DecideBatch(options_.policy, state).take > 0;
}

void Batcher::End(Mode mode, const Outcome& outcome) {
  Finish(outcome.parts, outcome.status);
  for (const Part& part : outcome.dropped) {
    const bool cancelled = !CheckNotCancelled(part.pending->request->cancel.get()).ok();
    Finish({part}, cancelled ? absl::CancelledError("the client has gone")
                             : absl::DeadlineExceededError("the deadline passed in the queue"));
  }
  absl::MutexLock lock(&mutex_);
  if (mode == Mode::kWide) {
    wide_running_ = false;
  } else {
    ++idle_;
  }
}

Batcher::Outcome Batcher::RunBatch(Mode mode, std::unique_ptr<BatchEngine>& engine) {
  Outcome outcome;
  outcome.parts = TakeBatch(mode, &outcome.dropped);
  if (outcome.parts.empty()) return outcome;
  if (engine == nullptr) {
    absl::StatusOr<std::unique_ptr<BatchEngine>> made =
        mode == Mode::kWide ? wide_factory_() : factory_();
    outcome.status = made.status();
    if (made.ok()) engine = *std::move(made);
  }
  if (outcome.status.ok()) outcome.status = Compute(mode, *engine, outcome.parts);
  return outcome;
}

bool Batcher::WaitForWork(Mode mode) {
  const bool wide = mode == Mode::kWide;
  absl::MutexLock lock(&mutex_);
  while (true) {
    if (stopping_ && (wide || queued_ == 0)) return false;
    if (stopping_) return true;
    if (queued_ == 0) {
      (wide ? wide_changed_ : changed_).Wait(&mutex_);
      continue;
    }
    const BatchDecision decision = DecideBatch(options_.policy, StateLocked());
    if (decision.take > 0 && decision.wide == wide) return true;
    if (wide) {
      Wake(Mode::kNarrow, queued_);  // also to wait for company: that is an executor's
      wide_changed_.Wait(&mutex_);
    } else if (decision.wide) {
      Wake(Mode::kWide, queued_);
      changed_.Wait(&mutex_);
    } else {
      changed_.WaitWithTimeout(&mutex_, decision.wait);
    }
  }
}

void Batcher::Wake(Mode mode, int images) {
  if (mode == Mode::kWide) return wide_changed_.Signal();
  for (int i = 0; i < std::min(images, options_.executors); ++i) changed_.Signal();
}

std::vector<Batcher::Part> Batcher::TakeBatch(Mode mode, std::vector<Part>* dropped) {
  const bool wide = mode == Mode::kWide;
  absl::MutexLock lock(&mutex_);
  DropLate(dropped);
  // While this one waited for a core, another executor may have taken what was due.
  QueueState state = StateLocked();
  state.cores_free = wide;  // they are held here, all or some
  state.wide_running = false;
  if (stopping_) state.oldest_wait = absl::InfiniteDuration();
  const BatchDecision decision = DecideBatch(options_.policy, state);
  int take = decision.wide == wide ? decision.take : 0;
  if (wide) {
    wide_running_ = true;
  } else {
    --idle_;
  }
  std::vector<Part> parts;
  if (take == 0) return parts;
  since_wide_ = wide ? 0 : since_wide_ + 1;
  bool by_priority = ++batches_ < kBatchesByPriority;
  if (!by_priority) batches_ = 0;
  while (take > 0 && queued_ > 0) {
    Queue& queue = queues_[by_priority ? FirstQueue() : OldestQueue()];
    by_priority = true;
    const std::shared_ptr<Pending>& pending = queue.front();
    const int count = std::min(take, pending->left());
    parts.push_back({pending, pending->next, pending->next + count});
    pending->next += count;
    take -= count;
    CountQueued(-count);
    pending->request->queue = options_.clock->Elapsed() - pending->added;
    if (pending->left() == 0) queue.pop_front();
  }
  return parts;
}

void Batcher::DropLate(std::vector<Part>* dropped) {
  const absl::Time now = options_.clock->Now();
  earliest_ = absl::InfiniteFuture();
  const auto is_late =
      [&](const std::shared_ptr<Pending>& pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        const BatchRequest& request = *pending->request;
        if (CheckNotCancelled(request.cancel.get()).ok() && request.deadline > now) {
          earliest_ = std::min(earliest_, request.deadline);
          return false;
        }
        CountQueued(-pending->left());
        dropped->push_back({pending, pending->next, request.count});
        return true;
      };
  for (Queue& queue : queues_) std::erase_if(queue, is_late);
}

int Batcher::OldestQueue() const {
  int oldest = FirstQueue();
  for (int level = oldest + 1; level < kPriorities; ++level) {
    const Queue& queue = queues_[level];
    if (!queue.empty() && queue.front()->added < queues_[oldest].front()->added) oldest = level;
  }
  return oldest;
}

int Batcher::FirstQueue() const {
  int level = 0;
  while (queues_[level].empty()) ++level;
  return level;
}

void Batcher::CountQueued(int count) {
  queued_ += count;
  options_.metrics.queue_depth.Add(count);
}

absl::Status Batcher::Compute(Mode mode, BatchEngine& engine, const std::vector<Part>& parts) {
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
  const absl::Duration time = options_.clock->Elapsed() - begin;
  if (options_.statistics != nullptr) options_.statistics->batches[examples.size()].Add(time);
  Learn(mode, time, count);
  const float* source = output.data();
  for (const Part& part : parts) {
    const size_t floats = static_cast<size_t>(part.end - part.begin) * row;
    std::copy_n(source, floats, part.pending->request->output.data() + part.begin * row);
    source += floats;
  }
  options_.metrics.batch_size.Observe(count);
  options_.model_metrics.images.Add(count);
  if (mode == Mode::kWide) options_.model_metrics.wide_batches.Add(1);
  options_.model_metrics.flops.Add(engine.last_flops());
  return absl::OkStatus();
}

void Batcher::Finish(const std::vector<Part>& parts, const absl::Status& status) {
  const absl::Duration end = options_.clock->Elapsed();
  for (const Part& part : parts) {
    Pending& pending = *part.pending;
    absl::Status final_status;
    {
      absl::MutexLock lock(&pending.mutex);
      if (!status.ok()) pending.status = status;
      pending.unfinished -= part.end - part.begin;
      if (pending.unfinished > 0) continue;
      final_status = pending.status;
    }
    // Of several batches the last to end may not be the last that was begun.
    pending.request->compute = end - pending.added - pending.request->queue;
    pending.request->done(*pending.request, final_status);
  }
}

QueueState Batcher::StateLocked() const {
  QueueState state;
  state.queued = queued_;
  state.coming = Coming();
  state.decode_time = decode_time_;
  state.executors = options_.executors;
  state.idle_executors = idle_;
  const absl::Duration now = options_.clock->Elapsed();
  if (queued_ > 0) state.oldest_wait = now - queues_[OldestQueue()].front()->added;
  state.time_left = earliest_ - options_.clock->Now();
  state.arrival_rate = arrivals_.At(now);
  state.times = times_;
  state.wide_batch = options_.wide_batch;
  state.wide_running = wide_running_;
  state.cores_free = options_.wide_batch > 0 && options_.slots->AllFree();
  state.batches_since_wide = since_wide_;
  state.wide_times = wide_times_;
  return state;
}

void Batcher::Learn(Mode mode, absl::Duration time, int count) {
  absl::MutexLock lock(&mutex_);
  (mode == Mode::kWide ? wide_times_ : times_).Learn(count, time);
}

}  // namespace fovea
