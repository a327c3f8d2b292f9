// What became of the requests to one served version since it was loaded.
//
// Thread-safe, without locks: a reading that is taken while requests end may lie between two of
// them.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace fovea {

// How often something happened, and how long it took in all.
class Tally {
 public:
  void Add(absl::Duration duration) {
    nanoseconds_.fetch_add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)),
                           std::memory_order_relaxed);
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  uint64_t nanoseconds() const { return nanoseconds_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_ = 0, nanoseconds_ = 0;
};

struct VersionStatistics {
  explicit VersionStatistics(int max_batch) : batches(static_cast<size_t>(max_batch) + 1) {}

  Tally succeeded, failed;  // from a request's arrival to its end
  // Stretches of the time of those that succeeded, one after the other: with the lookups they add
  // up to it. All but `queue` are of those that had a picture to compute.
  Tally queue, decode, compute, answer;
  Tally cache_hit;                           // all pictures were found: all but `queue`
  Tally cache_miss;                          // lookups, where some were not
  std::atomic<uint64_t> images = 0;          // of those that succeeded
  std::vector<Tally> batches;                // runs by images, whatever became of their requests
  std::atomic<int64_t> last_request_ms = 0;  // since 1970; 0: none yet
};

}  // namespace fovea
