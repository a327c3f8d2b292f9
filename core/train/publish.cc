#include "core/train/publish.h"

#include <utility>

#include "core/base/status.h"
#include "core/model/format.h"
#include "core/model/layer_table.h"
#include "core/model/model.h"
#include "core/model/quantization.h"
#include "core/model/storage.h"
#include "core/train/golden.h"
#include "core/train/recipe.h"
#include "core/train/timestamp.h"

namespace fovea {
namespace {

v1::Preprocessing PreprocessingOf(const v1::TrainingConfig& config) {
  const NetOptions net = NetOptionsOf(config, /*outputs=*/1);
  v1::Preprocessing preprocessing;
  preprocessing.set_width(config.input().width());
  preprocessing.set_height(config.input().height());
  preprocessing.set_channels(config.input().channels());
  preprocessing.set_resize_mode(v1::RESIZE_MODE_STRETCH);
  preprocessing.mutable_mean()->Add(net.mean.begin(), net.mean.end());
  preprocessing.mutable_stddev()->Add(net.std.begin(), net.std.end());
  return preprocessing;
}

}  // namespace

v1::ModelManifest ManifestOf(const FinishedRun& run, const Graph& graph,
                             absl::Span<const std::string> labels, absl::Time now) {
  const v1::TrainerJob& job = *run.job;
  v1::ModelManifest manifest;
  manifest.set_name(job.model());
  manifest.set_task(job.config().task());
  manifest.mutable_labels()->Add(labels.begin(), labels.end());
  *manifest.mutable_preprocessing() = PreprocessingOf(job.config());
  const Decisions& decisions = run.decisions;
  manifest.mutable_thresholds()->Add(decisions.thresholds.begin(), decisions.thresholds.end());
  if (decisions.open_set.has_value()) *manifest.mutable_open_set() = *decisions.open_set;
  manifest.set_precision(run.precision);
  SetLayers(graph, manifest);
  v1::TrainingOrigin& origin = *manifest.mutable_training();
  origin.set_job_id(job.job_id());
  origin.set_dataset(job.dataset());
  origin.set_dataset_revision(job.dataset_revision());
  *origin.mutable_config() = job.config();
  *origin.mutable_execution() = run.execution;
  origin.set_epoch(static_cast<uint32_t>(run.epoch));
  *manifest.mutable_report() = run.report;
  SetTimestamp(now, *manifest.mutable_create_time());
  return manifest;
}

absl::Status RoundToStorage(const v1::TrainingConfig& config, Weights& weights) {
  if (config.storage() != v1::STORAGE_FP16) return absl::OkStatus();
  for (const Value& value : weights.values()) {
    if (!IsStoredAsF16(value)) continue;
    ASSIGN_OR_RETURN(const Tensor tensor, weights.Get(value.name));
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (value.type.dtype == DType::kF64) {
        tensor.as<double>()[i] = StoredAsF16(static_cast<float>(tensor.as<double>()[i]));
      } else {
        tensor.as<float>()[i] = StoredAsF16(tensor.as<float>()[i]);
      }
    }
    RETURN_IF_ERROR(weights.Set(value.name, tensor));
  }
  weights.Touch();
  return absl::OkStatus();
}

absl::Status StageModel(FileSystem* files, const std::string& folder, const FinishedRun& run,
                        absl::Span<const std::string> labels, const Weights& weights,
                        const Backend& backend, const Clock* clock) {
  const v1::TrainingConfig& config = run.job->config();
  ASSIGN_OR_RETURN(
      const Net net,
      BuildNet(NetOptionsOf(config, OutputsOf(config.task(), static_cast<int>(labels.size()))),
               /*batch=*/1));
  Model model;
  ASSIGN_OR_RETURN(model.graph, InferenceGraphOf(net, config));
  ASSIGN_OR_RETURN(model.values, ReadValues(model.graph, weights));
  Quantization quantization = run.quantization;
  if (run.target_scale.has_value()) {
    RETURN_IF_ERROR(FoldTargetScale(*run.target_scale, model.graph, model.values, quantization));
  }
  model.quantization = ToProto(quantization);
  model.manifest = ManifestOf(run, model.graph, labels, clock->Now());
  ASSIGN_OR_RETURN(model.golden, MakeGolden(model, backend, run.golden_pixels));
  // What a crash left of an earlier try.
  RETURN_IF_ERROR(files->RemoveAll(folder));
  return WriteModel(files, folder, model);
}

bool IsStaged(FileSystem* files, const std::string& folder, const v1::TrainerJob& job) {
  const absl::StatusOr<v1::ModelManifest> manifest = ReadManifest(files, folder);
  return manifest.ok() && manifest->training().job_id() == job.job_id();
}

}  // namespace fovea
