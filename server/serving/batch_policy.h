// BatchPolicy: which images are computed together, and which requests are refused. Pure.
//
// By default nothing waits for company: an idle executor takes what is there, and batches grow out
// of the backlog. Adding delay is a choice for machines where large batches pay: a fixed one, or
// the one that a target for the latency leaves at the present arrival rate.
//
// Two modes. Throughput: executors × width side by side. Latency: few images that find the machine
// idle run "wide", on all its cores, where that is clearly faster.
#pragma once

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/serving/bucket_times.h"

namespace fovea {

// Whose images are taken first.
enum class Priority { kHigh, kNormal, kLow };
inline constexpr int kPriorities = 3;

struct BatchPolicy {
  int max_batch = 32;                               // images; at least 1
  absl::Duration max_delay = absl::ZeroDuration();  // that the oldest image may wait for company
  absl::Duration max_compute = absl::Milliseconds(200);  // a batch stops growing at this time
  // What an image's time from the queue to its answer shall stay under in 99 of 100 cases; replaces
  // max_delay and max_compute. Zero: no target.
  absl::Duration target_p99 = absl::ZeroDuration();
  int max_queue = 1024;  // images that may wait, those that are still decoded included
  // How long the images ahead of a newcomer may be expected to take.
  absl::Duration max_wait = absl::Seconds(5);
};

// What a policy looks at.
struct QueueState {
  int queued = 0;                                       // images
  int coming = 0;                                       // admitted ones that are still decoded
  int executors = 1;                                    // of the model version
  int idle_executors = 1;                               // the asking one included
  absl::Duration oldest_wait = absl::ZeroDuration();    // of the image that waits longest
  absl::Duration time_left = absl::InfiniteDuration();  // until the earliest deadline
  double arrival_rate = 0;                              // images a second
  BucketTimes times = {};                               // of a batch
  absl::Duration decode_time = absl::ZeroDuration();    // of a picture, on one core
  // The latency mode.
  int wide_batch = 0;           // the most images that run wide; 0: there is no such mode
  bool wide_running = false;    // then executors have no cores
  bool cores_free = false;      // all of the machine, of decoding and other models too
  int batches_since_wide = 0;   // of executors
  BucketTimes wide_times = {};  // of a batch that runs wide
};

// Whether a wide run is worth its cores: it takes at most four fifths of the time that one executor
// (of several, side by side) needs.
bool IsClearlyFaster(absl::Duration wide, absl::Duration narrow);

// How batches are made at present.
struct BatchPlan {
  int full = 1;                                 // images for which nothing waits any longer
  int together = 1;                             // executors do not share fewer than these
  int largest = 1;                              // the most images of a batch
  absl::Duration delay = absl::ZeroDuration();  // that the oldest of fewer than `full` may wait
};

// With a target: of the buckets for which delay + queue + compute stay below it, the one of the
// highest throughput, and the delay that is left for filling it. An image that joins waits at worst
// for a batch that has just begun, so compute counts twice. A bucket that the arrival rate is not
// expected to fill within that delay is left out, and so is one that is hardly faster than a
// smaller one. Where not even a lone image fits, it is computed alone and at once. `full` and
// `together` do not fall when the arrival rate rises.
BatchPlan PlanBatches(const BatchPolicy& policy, const QueueState& state);

struct BatchDecision {
  int take = 0;                                // images to compute now; 0: wait
  absl::Duration wait = absl::ZeroDuration();  // then: at most so long, unless more images come
  bool wide = false;                           // compute them on all cores
};

// What an idle executor does. Takes everything up to the limits of size and time, but leaves the
// other executors their share, the busy ones too: they end before what they left would have been
// computed here. A partial batch waits until the oldest image is due, or one would miss its
// deadline.
//
// All that is queued runs wide when no executor runs, all cores are free, and it is clearly faster
// so: at low load the latency is divided by nearly the cores, at high load some executor runs and
// the throughput mode stays. With more queued than the cores compute side by side the rule would
// cost more than it gives: a wide run is less efficient, and at half the capacity on two cores
// (M/D/2 beside M/D/1 at 90 % efficiency) the median falls by a third with it, the 99th percentile
// stays, and rises by up to a third when a backlog runs wide too. The measured time of wide runs
// may be of a bad moment: once in a while one is tried whatever was measured. While a wide run
// lasts nobody takes a batch: what comes next is decided at its end.
BatchDecision DecideBatch(const BatchPolicy& policy, const QueueState& state);

// The smallest batch that is computed about as fast, image by image, as any: larger ones would only
// take longer to answer. times[i] is that of 2^i images, of which at least one; zero: not known.
// Where none is known it is the largest.
int BestBatch(absl::Span<const absl::Duration> times);

// The decoded images beyond which executors should compute before they decode more: each finds a
// full batch.
int WellFilled(const BatchPolicy& policy, const QueueState& state);

// How long the next `count` images are expected to take, all executors working; `undecoded` of them
// are decoded before.
absl::Duration ExpectedTime(const BatchPolicy& policy, const QueueState& state, int count,
                            int undecoded = 0);

// A request that wants to join the queue.
struct Newcomer {
  int count = 1;                                        // images
  absl::Duration time_left = absl::InfiniteDuration();  // until its deadline
  int ahead = 0;         // images that are taken before it, queued or coming
  int coming_ahead = 0;  // of these, those that are still decoded
  int displaceable = 0;  // images whose room it may take: of lower priority, not begun
  bool decoded = true;   // whether its own images are
  bool patient = false;  // max_wait is not for it: its client sends no more until it is answered
};

enum class Admission { kAccept, kFull, kLate };

// Whether the newcomer may join the queue: there is room when it displaces what it may, and the
// images ahead leave time for its own. A queue whose images take longer than the policy's max_wait
// is full for those that come after them. Where nothing else waits any number finds room, and a
// batch that an idle executor takes at once is tried whatever time it is expected to take: it costs
// nobody else anything, and an expectation that is wrong would never be corrected otherwise.
Admission Admit(const BatchPolicy& policy, const QueueState& state, const Newcomer& newcomer);

// After how long a newcomer that was refused may find room and time; zero when waiting is of no
// use.
absl::Duration RetryDelay(const BatchPolicy& policy, const QueueState& state,
                          const Newcomer& newcomer, Admission refusal);

}  // namespace fovea
