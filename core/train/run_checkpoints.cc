#include "core/train/run_checkpoints.h"

#include <google/protobuf/util/message_differencer.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/measure.h"
#include "core/train/recipe.h"
#include "core/train/timestamp.h"

namespace fovea {
namespace {

constexpr char kParameters[] = "parameters";
constexpr char kStates[] = "states";
constexpr char kSlots[] = "slots";
constexpr char kAverages[] = "averages";
constexpr char kEpochLoss[] = "epoch_loss";  // a double: the sum over the epoch that is not done

struct NamedRole {
  const char* name;
  Role role;
};
constexpr NamedRole kModelRegions[] = {
    {kParameters, Role::kParameter}, {kStates, Role::kState}, {kAverages, Role::kAverage}};
constexpr NamedRole kAllRegions[] = {{kParameters, Role::kParameter},
                                     {kStates, Role::kState},
                                     {kSlots, Role::kSlot},
                                     {kAverages, Role::kAverage}};

absl::Status WriteRegions(const Checkpoint& checkpoint, absl::Span<const NamedRole> regions,
                          Weights& weights) {
  for (const NamedRole& region : regions) {
    if (region.role == Role::kAverage && weights.region_bytes(region.role) == 0) continue;
    ASSIGN_OR_RETURN(const absl::string_view bytes, checkpoint.Find(region.name));
    const absl::Status status = weights.WriteRegion(region.role, bytes);
    if (status.ok()) continue;
    return absl::DataLossError(absl::StrCat("the checkpoint of step ", checkpoint.manifest.step(),
                                            " does not fit the net: ", status.message()));
  }
  weights.Touch();
  return absl::OkStatus();
}

absl::Status Differs(absl::string_view what, const absl::AlphaNum& found,
                     const absl::AlphaNum& expected) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the checkpoint belongs to ", what, " ", found.Piece(), ", expected ", expected.Piece()));
}

}  // namespace

RunCheckpoints::RunCheckpoints(FileSystem* files, std::string folder, const v1::TrainerJob& job,
                               const Clock* clock)
    : store_(files, std::move(folder)), job_(job), clock_(clock) {}

absl::StatusOr<RunCheckpoints::Found> RunCheckpoints::Find() const {
  ASSIGN_OR_RETURN(CheckpointStore::Latest latest, store_.ReadLatestWhole());
  Found found;
  found.notes = std::move(latest.notes);
  if (!latest.checkpoint.has_value()) return found;
  RETURN_IF_ERROR(CheckBelongs(latest.checkpoint->manifest));
  found.checkpoint = std::move(latest.checkpoint);
  ASSIGN_OR_RETURN(found.best, FindBest());
  return found;
}

absl::Status RunCheckpoints::CheckBelongs(const v1::CheckpointManifest& manifest) const {
  if (manifest.job_id() != job_.job_id()) {
    return Differs("job", manifest.job_id(), job_.job_id());
  }
  if (manifest.dataset_revision() != job_.dataset_revision()) {
    return Differs("data set revision", manifest.dataset_revision(), job_.dataset_revision());
  }
  google::protobuf::util::MessageDifferencer differencer;
  // What batches hold does not depend on these, and a default goes by the memory that was left
  // then.
  for (const char* name : {"cache_bytes", "loader_threads", "prefetch_batches"}) {
    differencer.IgnoreField(v1::TrainingConfig::descriptor()->FindFieldByName(name));
  }
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  if (!differencer.Compare(manifest.config(), job_.config())) {
    return Differs("another configuration:", differences, "the same one");
  }
  return absl::OkStatus();
}

// The best is never removed, so the best of those that are left is the best of all.
absl::StatusOr<std::optional<BestEpoch>> RunCheckpoints::FindBest() const {
  std::optional<BestEpoch> best;
  const NamedMeasure& measure = BestMeasureOf(job_.config());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> steps, store_.Steps());
  for (const uint64_t step : steps) {
    const absl::StatusOr<Checkpoint> checkpoint = store_.Read(step);
    if (!checkpoint.ok() || !checkpoint->manifest.has_validation()) continue;
    const v1::CheckpointManifest& manifest = checkpoint->manifest;
    if (best.has_value() && !IsBetter(measure, manifest.validation(), best->validation)) continue;
    best =
        BestEpoch{static_cast<int64_t>(manifest.step()), manifest.epoch(), manifest.validation()};
  }
  return best;
}

absl::StatusOr<RunPosition> RunCheckpoints::Restore(const Checkpoint& checkpoint,
                                                    Weights& weights) {
  RETURN_IF_ERROR(WriteRegions(checkpoint, kAllRegions, weights));
  RunPosition position;
  position.step = static_cast<int64_t>(checkpoint.manifest.step());
  position.epoch = checkpoint.manifest.epoch();
  position.early_stopping = checkpoint.manifest.early_stopping();
  position.plateau = checkpoint.manifest.plateau();
  ASSIGN_OR_RETURN(const absl::string_view loss, checkpoint.Find(kEpochLoss));
  if (loss.size() != sizeof(double)) {
    return absl::DataLossError(absl::StrCat("checkpoint region \"", kEpochLoss, "\" has ",
                                            loss.size(), " bytes, expected ", sizeof(double)));
  }
  std::memcpy(&position.epoch_loss_sum, loss.data(), sizeof(double));
  return position;
}

absl::Status RunCheckpoints::Save(const Weights& weights, const RunPosition& position,
                                  const v1::Execution& execution, const v1::Measures* validation,
                                  const std::optional<BestEpoch>& best) {
  Checkpoint checkpoint;
  v1::CheckpointManifest& manifest = checkpoint.manifest;
  manifest.set_job_id(job_.job_id());
  manifest.set_attempt(job_.attempt());
  manifest.set_step(position.step);
  manifest.set_epoch(static_cast<uint32_t>(position.epoch));
  manifest.set_examples_drawn(position.step * ExamplesPerStep(job_.config()));
  manifest.set_dataset_revision(job_.dataset_revision());
  *manifest.mutable_config() = job_.config();
  *manifest.mutable_execution() = execution;
  if (validation != nullptr) *manifest.mutable_validation() = *validation;
  if (job_.config().has_early_stopping()) {
    *manifest.mutable_early_stopping() = position.early_stopping;
  }
  if (job_.config().has_reduce_on_plateau()) *manifest.mutable_plateau() = position.plateau;
  SetTimestamp(clock_->Now(), *manifest.mutable_create_time());
  for (const NamedRole& region : kAllRegions) {
    ASSIGN_OR_RETURN(std::string bytes, weights.ReadRegion(region.role));
    if (region.role == Role::kAverage && bytes.empty()) continue;
    checkpoint.regions.push_back({region.name, std::move(bytes)});
  }
  std::string loss(sizeof(double), '\0');
  std::memcpy(loss.data(), &position.epoch_loss_sum, sizeof(double));
  checkpoint.regions.push_back({kEpochLoss, std::move(loss)});
  RETURN_IF_ERROR(store_.Write(checkpoint));
  return store_.Prune(best.has_value() ? std::optional<uint64_t>(best->step) : std::nullopt);
}

absl::Status RunCheckpoints::RestoreModel(int64_t step, Weights& weights) const {
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, store_.Read(static_cast<uint64_t>(step)));
  return WriteRegions(checkpoint, kModelRegions, weights);
}

}  // namespace fovea
