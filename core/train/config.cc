#include "core/train/config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

absl::Status CheckTrainable(const DatasetStatistics& data) {
  RETURN_IF_ERROR(ValidateForTraining(data, {Split::kTrain}));
  const int64_t measured = data.images[static_cast<int>(Split::kValidation)] +
                           data.images[static_cast<int>(Split::kTest)];
  if (measured == 0) {
    return absl::FailedPreconditionError(
        "the data set has no image in its validation and test splits, expected at least one to "
        "measure the model on");
  }
  return absl::OkStatus();
}

// In the order in which defaults build on one another, and violations are told.
struct Section {
  void (*fill)(ConfigFill&);
  void (*check)(ConfigCheck&);
};
constexpr Section kSections[] = {
    {FillFineTune, CheckFineTune},
    {FillInput, CheckInput},
    {FillGranularity, CheckGranularity},
    {FillNet, CheckNet},
    {FillSampling, CheckSampling},
    {FillInitialization, CheckInitialization},
    {FillLength, CheckLength},
    {FillLoss, CheckLoss},
    {FillClassWeights, CheckClassWeights},
    {FillOptimizer, CheckOptimizer},
    {FillRegularization, CheckRegularization},
    {FillSchedule, CheckSchedule},
    {FillStopping, CheckStopping},
    {FillAugmentation, CheckAugmentation},
    {FillData, CheckData},
    {FillLabels, CheckLabels},
    {FillDecisions, CheckDecisions},
    {FillExecution, CheckExecution},
    {FillPrecision, CheckPrecision},
};

}  // namespace

CompleteConfig FillDefaults(v1::TrainingConfig config, const DatasetStatistics& data,
                            const TrainingBudget& budget, const v1::ModelManifest* start) {
  ConfigFill fill(std::move(config), data, budget, start);
  for (const Section& section : kSections) section.fill(fill);
  return fill.Take();
}

std::vector<FieldViolation> FindViolations(const v1::TrainingConfig& config,
                                           const DatasetStatistics& data,
                                           const v1::ModelManifest* start) {
  ConfigCheck check(config, data, start);
  for (const Section& section : kSections) section.check(check);
  return check.Take();
}

absl::StatusOr<CompleteConfig> Complete(const v1::TrainingConfig& config,
                                        const DatasetStatistics& data, const TrainingBudget& budget,
                                        std::vector<FieldViolation>* violations,
                                        const v1::ModelManifest* start) {
  RETURN_IF_ERROR(CheckTrainable(data));
  CompleteConfig complete = FillDefaults(config, data, budget, start);
  std::vector<FieldViolation> found = FindViolations(complete.config, data, start);
  if (found.empty()) return complete;
  const std::string message =
      absl::StrJoin(found, "; ", [](std::string* out, const FieldViolation& violation) {
        absl::StrAppend(out, violation.field, ": ", violation.description);
      });
  if (violations != nullptr) *violations = std::move(found);
  return absl::InvalidArgumentError(message);
}

}  // namespace fovea
