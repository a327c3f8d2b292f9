// ServedVersion: one version of a model, ready to answer: weights on the device, programs, and the
// executor threads behind a Batcher.
//
// Handles are shared_ptrs; the version lives as long as anybody holds one. Its destruction joins
// its executors, so the last handle must not die on one of them: ModelManager sees to that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/compile/buckets.h"
#include "core/data/image.h"
#include "core/model/model.h"
#include "fovea/v1/models.pb.h"
#include "server/serving/batcher.h"
#include "server/serving/response_cache.h"
#include "server/serving/version_statistics.h"
#include "server/telemetry/metrics.h"

namespace fovea {

class ServedVersion {
 public:
  struct Options {
    const Backend* backend = nullptr;
    BatchPolicy policy;
    int executors = 1;
    int width = 1;
    CpuSlots* slots = nullptr;
    DecodeQueue* decoders = nullptr;  // null: executors only compute
    Metrics* metrics = nullptr;
    ResponseCache* cache = nullptr;  // null: none
    PlanChooser* plans = nullptr;    // null: every batch runs by the backend's default plan
  };

  // Compiles the model for every batch size, runs each on cores of `slots` and measures it; where
  // an executor does not have all slots, small batches for all of them too, which serve (the
  // latency mode) where a lone image is clearly faster so. InvalidArgument, Unimplemented,
  // ResourceExhausted, Cancelled as the compiler, the backend and `plans` say. FailedPrecondition:
  // its answers are not those it was published with.
  static absl::StatusOr<std::unique_ptr<ServedVersion>> Load(Model model, const Options& options);

  const std::string& name() const { return manifest_.name(); }
  uint64_t version() const { return manifest_.version(); }
  const v1::ModelManifest& manifest() const { return manifest_; }
  // What pictures are brought to.
  const PixelShape& shape() const { return shape_; }
  int labels() const { return manifest_.labels_size(); }
  // Floats that the engine gives for each picture: the probabilities of all labels (binary: of the
  // positive one; regression: the values), then, where open-set rejection goes by the energy, their
  // logits.
  int outputs() const { return static_cast<int>(programs_->row_count()); }
  bool regression() const;
  // Whether labels apply from thresholds on.
  bool has_thresholds() const;

  Batcher& batcher() const { return *batcher_; }
  // Of the answers given before; null: none are kept.
  ResponseCache::Section* cache() const { return cache_.get(); }
  const ModelMetrics& metrics() const { return metrics_; }
  VersionStatistics& statistics() const { return *statistics_; }
  const std::shared_ptr<BucketPrograms>& programs() const { return programs_; }
  // What runs each batch size, for people; rising.
  std::vector<v1::ServedProgram> DescribePrograms() const;

 private:
  ServedVersion() = default;

  v1::ModelManifest manifest_;
  PixelShape shape_;
  std::shared_ptr<BucketPrograms> programs_;
  ModelMetrics metrics_;
  std::unique_ptr<ResponseCache::Section> cache_;
  std::unique_ptr<VersionStatistics> statistics_;
  std::unique_ptr<Batcher> batcher_;  // counts into statistics_
};

using ModelHandle = std::shared_ptr<const ServedVersion>;

}  // namespace fovea
