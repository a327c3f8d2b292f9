// BatchPolicy: which images are computed together, and which requests are refused. Pure.
//
// By default nothing waits for company: an idle executor takes what is there, and batches grow out
// of the backlog. Adding delay is a choice for machines where large batches pay.
#pragma once

#include "absl/time/time.h"

namespace fovea {

struct BatchPolicy {
  int max_batch = 32;                               // images; at least 1
  absl::Duration max_delay = absl::ZeroDuration();  // that the oldest image may wait for company
  absl::Duration target_time = absl::Milliseconds(200);  // a batch stops growing at this time
  int max_queue = 1024;                                  // images that may wait
};

// What a policy looks at.
struct QueueState {
  int queued = 0;                                     // images
  int executors = 1;                                  // of the model version
  int idle_executors = 1;                             // the asking one included
  absl::Duration oldest_wait = absl::ZeroDuration();  // of the first image in the queue
  absl::Duration per_example =
      absl::ZeroDuration();  // measured time of one image in a batch; 0: not known yet
};

struct BatchDecision {
  int take = 0;                                // images to compute now; 0: wait
  absl::Duration wait = absl::ZeroDuration();  // then: at most so long, unless more images come
};

// What an idle executor does. Takes everything up to the limits of size and time, but leaves the
// other idle executors their share; a partial batch waits until the oldest image is due.
BatchDecision DecideBatch(const BatchPolicy& policy, const QueueState& state);

// How long an image that joins the queue now is expected to take until its answer.
absl::Duration ExpectedTime(const QueueState& state, int count);

enum class Admission { kAccept, kFull, kLate };

// Whether `count` images, to be answered within `time_left`, may join the queue. An empty queue
// accepts any number.
Admission Admit(const BatchPolicy& policy, const QueueState& state, int count,
                absl::Duration time_left);

}  // namespace fovea
