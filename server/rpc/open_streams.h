// OpenStreams: the streams of requests that are open, which would go on for as long as their
// clients like: a drain tells them to end, and waits for it. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fovea {

class OpenStreams {
 public:
  class Stream {
   public:
    virtual ~Stream() = default;
    // Reads no more, finishes what it has, and ends. Called once, on the thread of the drain; also
    // when the stream has just ended.
    virtual void BeginDrain() = 0;
  };

  // False when the drain has begun: the stream is not told.
  [[nodiscard]] bool Add(const std::shared_ptr<Stream>& stream) {
    absl::MutexLock lock(&mutex_);
    if (draining_) return false;
    streams_.emplace(stream.get(), stream);
    return true;
  }
  void Remove(Stream* stream) {
    absl::MutexLock lock(&mutex_);
    streams_.erase(stream);
  }
  // Tells every stream to end. Returns how many there are.
  size_t BeginDrain() {
    std::vector<std::shared_ptr<Stream>> open;
    {
      absl::MutexLock lock(&mutex_);
      draining_ = true;
      for (const auto& [key, stream] : streams_) open.push_back(stream.lock());
    }
    // Without the lock: a stream may end, and remove itself, at once.
    for (const std::shared_ptr<Stream>& stream : open) {
      if (stream != nullptr) stream->BeginDrain();
    }
    return open.size();
  }
  // Returns once every stream has ended, and at the latest after `longest`.
  void AwaitEnd(absl::Duration longest) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return streams_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&ended), longest);
  }

 private:
  absl::Mutex mutex_;
  std::map<Stream*, std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fovea
