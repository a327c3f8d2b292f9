// BucketTimes: how long a model version computes a batch, by bucket size (1, 2, 4, …): measured at
// warm-up, then kept current by every batch. A value; not thread-safe.
#pragma once

#include <array>

#include "absl/time/time.h"

namespace fovea {

class BucketTimes {
 public:
  static constexpr int kMaxBatch = 1024;

  BucketTimes() = default;
  // `max_batch`, a power of two, is the largest bucket.
  explicit BucketTimes(int max_batch) : max_batch_(max_batch) {}

  // A batch of `count` images took `time`. The first measurement of a bucket replaces what was
  // guessed from the others; later ones move it by a fifth.
  void Learn(int count, absl::Duration time);

  // The expected time of `count` images in batches of at most `largest` images, one after another;
  // zero before the first measurement.
  absl::Duration Of(int count, int largest = kMaxBatch) const;

  int max_batch() const { return max_batch_; }

 private:
  struct Bucket {
    absl::Duration time;
    bool measured = false;  // by itself
  };
  Bucket& At(int size);
  const Bucket& At(int size) const;
  void Reconcile(int size);

  int max_batch_ = kMaxBatch;
  std::array<Bucket, 11> buckets_;  // of 1, 2, 4, … kMaxBatch images
};

}  // namespace fovea
