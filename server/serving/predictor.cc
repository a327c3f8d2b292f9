#include "server/serving/predictor.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/data/preprocess.h"

namespace fovea {

void RecordOutcome(const PredictMetrics& metrics, const ServedVersion& model, int images,
                   const PredictResult& result, absl::Duration total) {
  VersionStatistics& statistics = model.statistics();
  statistics.last_request_ms = absl::ToUnixMillis(absl::Now());
  if (!result.status.ok()) return statistics.failed.Add(total);
  metrics.decode.Observe(absl::ToDoubleSeconds(result.decode));
  metrics.queue.Observe(absl::ToDoubleSeconds(result.queue));
  metrics.compute.Observe(absl::ToDoubleSeconds(result.compute));
  metrics.total.Observe(absl::ToDoubleSeconds(total));
  statistics.decode.Add(result.decode);
  statistics.queue.Add(result.queue);
  statistics.compute.Add(result.compute);
  const absl::Duration rest = total - result.decode - result.queue - result.compute;
  statistics.answer.Add(std::max(absl::ZeroDuration(), rest));
  statistics.images += static_cast<uint64_t>(images);
  statistics.succeeded.Add(total);
}

struct Predictor::Work {
  PredictRequest request;
  Done done;
  absl::Duration begin;                 // Clock::Elapsed
  std::unique_ptr<BatchRequest> batch;  // pixels are filled in by the pool
  std::atomic<int> undecoded = 0;

  absl::Mutex mutex;
  PredictResult result ABSL_GUARDED_BY(mutex);  // status: of the first image that failed

  void Fail(int image, absl::Status status) {
    absl::MutexLock lock(&mutex);
    if (!result.status.ok() && result.failed_image <= image) return;
    result.status = std::move(status);
    result.failed_image = image;
  }
};

void Predictor::Predict(PredictRequest request, Done done) const {
  auto work = std::make_shared<Work>();
  work->request = std::move(request);
  work->done = std::move(done);
  work->begin = options_.clock->Elapsed();
  const int count = static_cast<int>(work->request.images.size());
  work->batch = std::make_unique<BatchRequest>();
  work->batch->count = count;
  work->batch->pixels = std::make_unique_for_overwrite<uint8_t[]>(
      static_cast<size_t>(count) * work->request.model->shape().bytes());
  work->undecoded = count;
  for (int i = 0; i < count; ++i) {
    if (options_.pool->TrySchedule([this, work, i] { Decode(work, i); })) continue;
    work->Fail(i, absl::ResourceExhaustedError(
                      "the queue of pictures to decode is full; try again later"));
    if (work->undecoded.fetch_sub(1) == 1) EndDecode(work);
  }
}

void Predictor::Decode(const std::shared_ptr<Work>& work, int image) const {
  const PredictRequest& request = work->request;
  const size_t bytes = request.model->shape().bytes();
  absl::Status status = CheckNotCancelled(request.cancel.get());
  if (status.ok() && request.deadline <= options_.clock->Now()) {
    status = absl::DeadlineExceededError("the deadline passed before decoding");
  }
  if (status.ok()) {
    const CpuSlots::Hold hold(*options_.slots, 1);
    status = DecodeOne(*work, image, work->batch->pixels.get() + image * bytes);
  }
  if (!status.ok()) work->Fail(image, std::move(status));
  if (work->undecoded.fetch_sub(1) == 1) EndDecode(work);
}

absl::Status Predictor::DecodeOne(const Work& work, int image, uint8_t* out) const {
  const PredictImage& source = work.request.images[image];
  if (!source.raw.has_value()) {
    ASSIGN_OR_RETURN(const Image decoded, DecodeImage(source.bytes, options_.limits));
    return Preprocess(decoded, work.request.model->shape(), out);
  }
  const PixelShape& shape = *source.raw;
  if (source.bytes.size() != shape.bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("found ", source.bytes.size(),
                                                   " bytes of pixels, expected ", shape.bytes(),
                                                   " for ", shape.ToString()));
  }
  const auto* pixels = reinterpret_cast<const uint8_t*>(source.bytes.data());
  if (shape == work.request.model->shape()) {
    std::copy_n(pixels, shape.bytes(), out);
    return absl::OkStatus();
  }
  const Image copy{shape.width, shape.height, shape.channels, {pixels, pixels + shape.bytes()}};
  return Preprocess(copy, work.request.model->shape(), out);
}

void Predictor::EndDecode(const std::shared_ptr<Work>& work) const {
  std::optional<PredictResult> failed;
  {
    absl::MutexLock lock(&work->mutex);
    work->result.decode = options_.clock->Elapsed() - work->begin;
    if (!work->result.status.ok()) failed = std::move(work->result);
  }
  if (failed.has_value()) {
    work->done(*std::move(failed));
  } else {
    Queue(work);
  }
}

void Predictor::Queue(const std::shared_ptr<Work>& work) const {
  std::unique_ptr<BatchRequest> batch = std::move(work->batch);
  batch->deadline = work->request.deadline;
  batch->priority = work->request.priority;
  batch->cancel = work->request.cancel;
  batch->done = [work](BatchRequest& finished, const absl::Status& status) {
    PredictResult result;
    {
      absl::MutexLock lock(&work->mutex);
      result = std::move(work->result);
    }
    result.status = status;
    result.outputs = std::move(finished.output);
    result.queue = finished.queue;
    result.compute = finished.compute;
    result.retry_delay = finished.retry_delay;
    work->done(std::move(result));
  };
  const absl::Status refused = work->request.model->batcher().Add(batch);
  if (refused.ok()) return;
  PredictResult result;
  result.status = refused;
  result.retry_delay = batch->retry_delay;
  work->done(std::move(result));
}

}  // namespace fovea
