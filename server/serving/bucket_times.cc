#include "server/serving/bucket_times.h"

#include <algorithm>
#include <bit>

#include "core/compile/buckets.h"

namespace fovea {
namespace {

// How much the newest batch counts.
constexpr double kNewest = 0.2;

}  // namespace

BucketTimes::Bucket& BucketTimes::At(int size) {
  return buckets_[std::countr_zero(static_cast<unsigned>(size))];
}

const BucketTimes::Bucket& BucketTimes::At(int size) const {
  return buckets_[std::countr_zero(static_cast<unsigned>(size))];
}

absl::Duration BucketTimes::Of(int count, int largest) const {
  const auto full =
      static_cast<int>(std::bit_floor(static_cast<unsigned>(std::min(largest, max_batch_))));
  absl::Duration total = At(full).time * (count / full);
  for (int left = count % full; left > 0;) {
    const int size = NextBucket(left, full);
    total += At(size).time;
    left -= size;
  }
  return total;
}

void BucketTimes::Learn(int count, absl::Duration time) {
  const absl::Duration expected = Of(count);
  if (expected <= absl::ZeroDuration()) {  // the first one: the others follow in proportion
    for (int size = 1; size <= max_batch_; size *= 2) At(size).time = time * size / count;
  }
  if (const int size = NextBucket(count, max_batch_); size >= count) {
    Bucket& bucket = At(size);
    bucket.time = bucket.measured ? bucket.time * (1 - kNewest) + time * kNewest : time;
    bucket.measured = true;
    return Reconcile(size);
  }
  if (expected <= absl::ZeroDuration()) return;
  // Several buckets, of which only the sum is known: each takes its share of the difference.
  const double scale = 1 - kNewest + kNewest * absl::FDivDuration(time, expected);
  int last = 0;  // sizes fall, so that equal ones follow each other
  for (int left = count; left > 0; left -= last) {
    const int size = NextBucket(left, max_batch_);
    if (size != last) {
      At(size).time *= scale;
      Reconcile(size);
    }
    last = size;
  }
}

// A bucket takes no longer than the one of twice its size, and that no longer than two of it. So a
// time that was measured in a bad moment, and by which its bucket is not chosen any more, recovers
// with the times of its neighbours.
void BucketTimes::Reconcile(int size) {
  for (int larger = 2 * size; larger <= max_batch_; larger *= 2) {
    const absl::Duration half = At(larger / 2).time;
    At(larger).time = std::clamp(At(larger).time, half, 2 * half);
  }
  for (int smaller = size / 2; smaller >= 1; smaller /= 2) {
    const absl::Duration twice = At(2 * smaller).time;
    At(smaller).time = std::clamp(At(smaller).time, twice / 2, twice);
  }
}

}  // namespace fovea
