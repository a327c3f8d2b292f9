// What the sections of the configuration share. Each section (a config_*.cc of its own) has a Fill,
// which completes its fields and writes down each choice, and a Check, which holds the complete
// fields against their ranges and the data set. config.cc runs them in the order declared here.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/data/dataset_types.h"
#include "core/train/config.h"
#include "core/train/recipe.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// A configuration being completed, field by field. Paths leave out "config.".
class ConfigFill {
 public:
  ConfigFill(v1::TrainingConfig config, const DatasetStatistics& data, const TrainingBudget& budget,
             const v1::ModelManifest* start);

  v1::TrainingConfig& config() { return complete_.config; }
  const DatasetStatistics& data() const { return data_; }
  const TrainingBudget& budget() const { return budget_; }
  int default_width() const { return budget_.width; }        // threads of a step, at least 1
  const v1::ModelManifest* start() const { return start_; }  // what fine_tune begins with, or null
  bool is_multi_label() const { return complete_.config.task() == v1::TASK_MULTI_LABEL; }
  bool is_regression() const { return IsRegression(complete_.config.task()); }
  bool has_thresholds() const { return HasThresholds(complete_.config.task()); }

  void Chose(absl::string_view field, const absl::AlphaNum& value, absl::string_view reason);
  CompleteConfig Take() { return std::move(complete_); }

 private:
  const DatasetStatistics& data_;
  TrainingBudget budget_;
  const v1::ModelManifest* const start_;
  CompleteConfig complete_;
};

// A complete configuration under test; collects what is wrong with it.
class ConfigCheck {
 public:
  ConfigCheck(const v1::TrainingConfig& config, const DatasetStatistics& data,
              const v1::ModelManifest* start)
      : config_(config), data_(data), start_(start) {}

  const v1::TrainingConfig& config() const { return config_; }
  const DatasetStatistics& data() const { return data_; }
  const v1::ModelManifest* start() const { return start_; }  // as in ConfigFill
  bool is_multi_label() const { return config_.task() == v1::TASK_MULTI_LABEL; }
  bool is_regression() const { return IsRegression(config_.task()); }
  bool has_thresholds() const { return HasThresholds(config_.task()); }
  // "single-label", … of the task.
  std::string TaskText() const;

  // "found …, expected …".
  void Wrong(absl::string_view field, const absl::AlphaNum& found, absl::string_view expected);
  void Violation(absl::string_view field, absl::string_view description);
  // `in_range` must be false for NaN as well, whichever way its comparison is written.
  void Range(absl::string_view field, double found, bool in_range, absl::string_view expected);
  void Count(absl::string_view field, uint32_t found, uint32_t min, uint32_t max);
  // In [0, 1].
  void Share(absl::string_view field, double found);
  // > 0 and finite as a float, which is what the kernels compute with.
  void Positive(absl::string_view field, double found);

  bool HasViolations() const { return !violations_.empty(); }
  std::vector<FieldViolation> Take() { return std::move(violations_); }

 private:
  const v1::TrainingConfig& config_;
  const DatasetStatistics& data_;
  const v1::ModelManifest* const start_;
  std::vector<FieldViolation> violations_;
};

// config_fine_tune.cc: what a training takes from the version it begins with. Filled before all
// others, since that decides the net and the input.
void FillFineTune(ConfigFill& fill);
void CheckFineTune(ConfigCheck& check);
// config_input.cc: task and input shape.
void FillInput(ConfigFill& fill);
void CheckInput(ConfigCheck& check);
// config_granularity.cc: what fine-grained classes ask for.
void FillGranularity(ConfigFill& fill);
void CheckGranularity(ConfigCheck& check);
// config_net.cc: the architecture. CheckNet builds the graph when all before it is right.
void FillNet(ConfigFill& fill);
void CheckNet(ConfigCheck& check);
// config_initialization.cc: initial weights, stochastic depth.
void FillInitialization(ConfigFill& fill);
void CheckInitialization(ConfigCheck& check);
// config_sampling.cc: what an epoch consists of.
void FillSampling(ConfigFill& fill);
void CheckSampling(ConfigCheck& check);
// Examples of one epoch, as far as the counts of the data set tell: else the training images.
int64_t ExamplesPerEpoch(const v1::TrainingConfig& config, const DatasetStatistics& data);
// config_run.cc: batch size, epochs, seed; then, at the end, backend and width.
void FillLength(ConfigFill& fill);
void CheckLength(ConfigCheck& check);
void FillExecution(ConfigFill& fill);
void CheckExecution(ConfigCheck& check);
// config_precision.cc: precision, layout plan and storage; after the backend is known.
void FillPrecision(ConfigFill& fill);
void CheckPrecision(ConfigCheck& check);
// config_loss.cc: loss, label smoothing, the way to answer for many labels.
void FillLoss(ConfigFill& fill);
void CheckLoss(ConfigCheck& check);
// config_class_weights.cc: class weights computed from the training split.
void FillClassWeights(ConfigFill& fill);
void CheckClassWeights(ConfigCheck& check);
// config_optimizer.cc: update rule, learning rate.
void FillOptimizer(ConfigFill& fill);
void CheckOptimizer(ConfigCheck& check);
// config_regularization.cc: decays, clipping, averages, accumulation.
void FillRegularization(ConfigFill& fill);
void CheckRegularization(ConfigCheck& check);
// config_schedule.cc: schedule and warm-up.
void FillSchedule(ConfigFill& fill);
void CheckSchedule(ConfigCheck& check);
// config_stopping.cc: best measure and early stopping.
void FillStopping(ConfigFill& fill);
void CheckStopping(ConfigCheck& check);
// A violation of `field`, which needs validation images, when there are none.
void CheckHasValidation(ConfigCheck& check, absl::string_view field);
// config_augmentation.cc: random changes of training images, and dropout.
void FillAugmentation(ConfigFill& fill);
void CheckAugmentation(ConfigCheck& check);
// config_data.cc: cache, loader, mixup and CutMix.
void FillData(ConfigFill& fill);
void CheckData(ConfigCheck& check);
// config_labels.cc: what is given by label: class weights and thresholds.
void FillLabels(ConfigFill& fill);
void CheckLabels(ConfigCheck& check);
// config_decisions.cc: tuned thresholds, open-set rejection.
void FillDecisions(ConfigFill& fill);
void CheckDecisions(ConfigCheck& check);

}  // namespace fovea
