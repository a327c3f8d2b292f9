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
#include "server/serving/response_cache.h"

namespace fovea {
namespace {

void RecordLookups(const ServedVersion& model, const PredictResult& result) {
  if (model.cache() == nullptr) return;
  model.metrics().images.Add(result.cache_hits);  // the computed ones are counted by the batcher
  model.metrics().cache_hits.Add(result.cache_hits);
  model.metrics().cache_misses.Add(result.cache_misses);
  if (result.cache_misses > 0) model.statistics().cache_miss.Add(result.lookup);
}

// What the response cache says about the images of one request. Each image's part is written by
// the thread that decodes it.
struct Answers {
  Answers(int images, int outputs)
      : keys(images), known(images), rows(static_cast<size_t>(images) * outputs) {}
  std::vector<ResponseCache::Key> keys;
  std::vector<char> known;
  std::vector<float> rows;  // [images, outputs], of the known ones
};

}  // namespace

void RecordOutcome(const PredictMetrics& metrics, const ServedVersion& model, int images,
                   const PredictResult& result, absl::Duration total) {
  VersionStatistics& statistics = model.statistics();
  statistics.last_request_ms = absl::ToUnixMillis(absl::Now());
  if (!result.status.ok()) return statistics.failed.Add(total);
  RecordLookups(model, result);
  statistics.queue.Add(result.queue);  // of every request: clients find the version by its growth
  metrics.total.Observe(absl::ToDoubleSeconds(total));
  // `total` is the time of day's, which may be set back while the phases go on.
  absl::Duration whole = total;
  if (result.cache_hits == images) {
    whole = std::max(total, result.queue + result.lookup);
    statistics.cache_hit.Add(whole - result.queue);
  } else {
    const absl::Duration decode = result.decode - result.lookup;  // which began with the lookups
    metrics.decode.Observe(absl::ToDoubleSeconds(result.decode));
    metrics.queue.Observe(absl::ToDoubleSeconds(result.queue));
    metrics.compute.Observe(absl::ToDoubleSeconds(result.compute));
    const absl::Duration phases = result.lookup + result.queue + decode + result.compute;
    whole = std::max(total, phases);
    statistics.decode.Add(decode);
    statistics.compute.Add(result.compute);
    statistics.answer.Add(whole - phases);
  }
  statistics.images += static_cast<uint64_t>(images);
  statistics.succeeded.Add(whole);
}

namespace {

// Whether its bytes are what the model reads.
bool IsDecoded(const PredictImage& image, const PixelShape& shape) {
  return image.raw.has_value() && *image.raw == shape && image.bytes.size() == shape.bytes();
}

}  // namespace

struct Predictor::Work {
  PredictRequest request;
  Done done;
  absl::Duration begin;                 // Clock::Elapsed
  std::unique_ptr<BatchRequest> batch;  // pixels are filled in as they are decoded
  std::unique_ptr<Answers> answers;     // with a response cache
  std::atomic<int> undecoded = 0;

  absl::Mutex mutex;
  PredictResult result ABSL_GUARDED_BY(mutex);  // status: of the first image that failed

  void Fail(int image, absl::Status status) {
    absl::MutexLock lock(&mutex);
    if (!result.status.ok() && result.failed_image <= image) return;
    result.status = std::move(status);
    result.failed_image = image;
  }
  bool IsOk() {
    absl::MutexLock lock(&mutex);
    return result.status.ok();
  }
  size_t outputs() const { return static_cast<size_t>(request.model->outputs()); }
  Batcher& batcher() const { return request.model->batcher(); }
  bool NeedsDecoding() const;
  // Where the image's pixels go. Memory is taken for the first of them: what waits has none.
  uint8_t* PixelsOf(int image);
  void DropKnown();
  std::vector<float> Merge(std::vector<float> computed);
};

bool Predictor::Work::NeedsDecoding() const {
  const PixelShape& shape = request.model->shape();
  return !std::all_of(request.images.begin(), request.images.end(),
                      [&](const PredictImage& image) { return IsDecoded(image, shape); });
}

uint8_t* Predictor::Work::PixelsOf(int image) {
  const size_t bytes = request.model->shape().bytes();
  absl::MutexLock lock(&mutex);
  if (batch->pixels == nullptr) {
    batch->pixels = std::make_unique_for_overwrite<uint8_t[]>(request.images.size() * bytes);
  }
  return batch->pixels.get() + static_cast<size_t>(image) * bytes;
}

// Leaves in the batch what has to be computed.
void Predictor::Work::DropKnown() {
  const size_t bytes = request.model->shape().bytes();
  uint8_t* pixels = batch->pixels.get();
  int kept = 0;
  for (int i = 0; i < batch->count; ++i) {
    if (answers->known[i]) continue;
    if (kept < i) std::copy_n(pixels + i * bytes, bytes, pixels + kept * bytes);
    ++kept;
  }
  absl::MutexLock lock(&mutex);
  result.cache_hits = batch->count - kept;
  result.cache_misses = kept;
  batch->count = kept;
}

// All rows in the images' order; remembers the computed ones.
std::vector<float> Predictor::Work::Merge(std::vector<float> computed) {
  const float* row = computed.data();
  for (size_t i = 0; i < answers->known.size(); ++i) {
    if (answers->known[i]) continue;
    request.model->cache()->Insert(answers->keys[i], {row, outputs()});
    std::copy_n(row, outputs(), answers->rows.data() + i * outputs());
    row += outputs();
  }
  return std::move(answers->rows);
}

void Predictor::Predict(PredictRequest request, Done done) const {
  auto work = std::make_shared<Work>();
  work->request = std::move(request);
  work->done = std::move(done);
  work->begin = options_.clock->Elapsed();
  const int count = static_cast<int>(work->request.images.size());
  work->batch = std::make_unique<BatchRequest>();
  work->batch->count = count;
  work->batch->deadline = work->request.deadline;
  work->batch->priority = work->request.priority;
  work->batch->patient = work->request.patient;
  work->batch->cancel = work->request.cancel;
  if (work->request.model->cache() != nullptr) {
    work->answers = std::make_unique<Answers>(count, work->request.model->outputs());
  } else if (work->NeedsDecoding()) {
    const absl::Status status = work->batcher().Reserve(*work->batch);
    if (!status.ok()) return Refuse(*work, *work->batch, status);
  }
  work->undecoded = count;
  for (int i = 0; i < count; ++i) Begin(work, i);
}

void Predictor::Refuse(Work& work, const BatchRequest& batch, const absl::Status& status) {
  PredictResult result;
  result.status = status;
  result.retry_delay = batch.retry_delay;
  work.done(std::move(result));
}

void Predictor::Begin(const std::shared_ptr<Work>& work, int image) const {
  const PredictImage& source = work->request.images[image];
  // The cache hashes pictures, which is a decode task's work.
  if (work->answers == nullptr && IsDecoded(source, work->request.model->shape())) {
    std::copy_n(source.bytes.data(), source.bytes.size(), work->PixelsOf(image));
    return FinishImage(work, image, absl::OkStatus());
  }
  auto task = [this, work, image] { Decode(work, image); };
  if (options_.decoders->TryAdd(std::move(task), work->request.priority)) return;
  FinishImage(
      work, image,
      absl::ResourceExhaustedError("the queue of pictures to decode is full; try again later"));
}

void Predictor::Decode(const std::shared_ptr<Work>& work, int image) const {
  absl::Status status = CheckAwaited(work->request);
  if (status.ok() && !FindAnswer(*work, image)) {
    const absl::Duration begin = options_.clock->Elapsed();
    status = DecodeOne(*work, image);
    work->batcher().LearnDecode(options_.clock->Elapsed() - begin);
  }
  FinishImage(work, image, std::move(status));
}

absl::Status Predictor::CheckAwaited(const PredictRequest& request) const {
  RETURN_IF_ERROR(CheckNotCancelled(request.cancel.get()));
  if (request.deadline > options_.clock->Now()) return absl::OkStatus();
  return absl::DeadlineExceededError("the deadline passed before decoding");
}

void Predictor::FinishImage(const std::shared_ptr<Work>& work, int image,
                            absl::Status status) const {
  if (!status.ok()) work->Fail(image, std::move(status));
  if (work->undecoded.fetch_sub(1) == 1) EndDecode(work);
}

bool Predictor::FindAnswer(Work& work, int image) const {
  if (work.answers == nullptr) return false;
  const absl::Duration begin = options_.clock->Elapsed();
  Answers& answers = *work.answers;
  const PredictImage& source = work.request.images[image];
  answers.keys[image] = ResponseCache::KeyOf(source.bytes, source.raw);
  const absl::Span<float> row(answers.rows.data() + image * work.outputs(), work.outputs());
  answers.known[image] = work.request.model->cache()->Find(answers.keys[image], row);
  absl::MutexLock lock(&work.mutex);
  work.result.lookup = std::max(work.result.lookup, options_.clock->Elapsed() - begin);
  return answers.known[image];
}

absl::Status Predictor::DecodeOne(Work& work, int image) const {
  const PredictImage& source = work.request.images[image];
  uint8_t* const out = work.PixelsOf(image);
  if (!source.raw.has_value()) {
    return PreprocessEncoded(source.bytes, options_.limits, work.request.model->shape(), out);
  }
  const PixelShape& shape = *source.raw;
  if (source.bytes.size() != shape.bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("found ", source.bytes.size(),
                                                   " bytes of pixels, expected ", shape.bytes(),
                                                   " for ", shape.ToString()));
  }
  const auto* pixels = reinterpret_cast<const uint8_t*>(source.bytes.data());
  const Image copy{shape.width, shape.height, shape.channels, {pixels, pixels + shape.bytes()}};
  return Preprocess(copy, work.request.model->shape(), out);
}

void Predictor::EndDecode(const std::shared_ptr<Work>& work) const {
  if (const bool decoded = work->IsOk(); !decoded) {
    work->batcher().Withdraw(*work->batch);
  } else if (work->answers != nullptr) {
    work->DropKnown();
  }
  std::optional<PredictResult> ended;
  {
    absl::MutexLock lock(&work->mutex);
    PredictResult& result = work->result;
    if (!result.status.ok()) {
      ended = std::move(result);
    } else if (work->batch->count == 0) {
      result.outputs = std::move(work->answers->rows);
      ended = std::move(result);
    } else {
      result.decode = options_.clock->Elapsed() - work->begin;
    }
  }
  if (ended.has_value()) {
    work->done(*std::move(ended));
  } else {
    Queue(work);
  }
}

void Predictor::Queue(const std::shared_ptr<Work>& work) const {
  std::unique_ptr<BatchRequest> batch = std::move(work->batch);
  batch->done = [work](BatchRequest& finished, const absl::Status& status) {
    PredictResult result;
    {
      absl::MutexLock lock(&work->mutex);
      result = std::move(work->result);
    }
    result.status = status;
    result.outputs = std::move(finished.output);
    if (status.ok() && work->answers != nullptr) {
      result.outputs = work->Merge(std::move(result.outputs));
    }
    result.queue = finished.queue;
    result.compute = finished.compute;
    result.retry_delay = finished.retry_delay;
    work->done(std::move(result));
  };
  const absl::Status refused = work->batcher().Add(batch);
  if (!refused.ok()) Refuse(*work, *batch, refused);
}

}  // namespace fovea
