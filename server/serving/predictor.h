// Predictor: takes the pictures of one request through decode queue and batcher.
//
// Predict returns at once and never decodes, waits or computes on the caller's thread; raw pixels
// of the model's shape are copied there. Pictures that have to be decoded get their places in the
// batcher's queue before, so that what is refused costs nothing; with a response cache afterwards,
// since what it knows needs no place. `done` runs once: on the caller's thread when the request is
// refused, else on a thread of the decode queue or an executor. The version's handle lives until
// then. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/data/decode.h"
#include "core/data/image.h"
#include "server/serving/decode_queue.h"
#include "server/serving/served_version.h"
#include "server/telemetry/metrics.h"

namespace fovea {

// One picture; its bytes belong to the caller until `done`.
struct PredictImage {
  absl::string_view bytes;
  // Set: `bytes` are raw pixels of this shape. Absent: an encoded picture.
  std::optional<PixelShape> raw;
};

struct PredictRequest {
  ModelHandle model;
  std::vector<PredictImage> images;  // at least one
  absl::Time deadline = absl::InfiniteFuture();
  Priority priority = Priority::kNormal;
  bool patient = false;  // waits however long the queue is, as long as there is room
  std::shared_ptr<const CancelToken> cancel;
};

struct PredictResult {
  absl::Status status;
  int failed_image = -1;       // the image that `status` is about
  absl::Duration retry_delay;  // of a refusal: when another try may succeed; zero: not known
  std::vector<float> outputs;  // [images, ServedVersion::outputs()]
  absl::Duration decode, queue, compute;  // one after the other
  // With a response cache: images that it knew, which cost neither decoding nor computing, those
  // that it did not, and the longest that it took to ask.
  int cache_hits = 0, cache_misses = 0;
  absl::Duration lookup;
};

// Records what became of a request for `images` pictures that took `total` from its arrival on.
void RecordOutcome(const PredictMetrics& metrics, const ServedVersion& model, int images,
                   const PredictResult& result, absl::Duration total);

class Predictor {
 public:
  struct Options {
    DecodeQueue* decoders = nullptr;
    DecodeLimits limits;
    PredictMetrics metrics;
    const Clock* clock = Clock::Real();
  };
  explicit Predictor(Options options) : options_(options) {}

  using Done = absl::AnyInvocable<void(PredictResult)>;
  void Predict(PredictRequest request, Done done) const;

 private:
  struct Work;
  // Copies what needs no decoding; gives the rest to the decode queue.
  void Begin(const std::shared_ptr<Work>& work, int image) const;
  void Decode(const std::shared_ptr<Work>& work, int image) const;
  absl::Status CheckAwaited(const PredictRequest& request) const;
  // Counts the image as decoded; after the last one the request goes to the batcher, or ends.
  void FinishImage(const std::shared_ptr<Work>& work, int image, absl::Status status) const;
  absl::Status DecodeOne(Work& work, int image) const;
  bool FindAnswer(Work& work, int image) const;
  void EndDecode(const std::shared_ptr<Work>& work) const;
  void Queue(const std::shared_ptr<Work>& work) const;
  static void Refuse(Work& work, const BatchRequest& batch, const absl::Status& status);

  const Options options_;
};

}  // namespace fovea
