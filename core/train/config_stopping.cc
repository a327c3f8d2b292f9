// What a configuration makes of the validation measure: the best epoch, and early stopping.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_join.h"
#include "core/train/config_sections.h"
#include "core/train/measure.h"

namespace fovea {
namespace {

bool HasValidation(const DatasetStatistics& data) {
  return data.images[static_cast<int>(Split::kValidation)] > 0;
}

std::string NamesOf(v1::Task task) {
  return absl::StrJoin(MeasuresOf(task), ", ", [](std::string* out, const NamedMeasure& measure) {
    absl::StrAppend(out, measure.name);
  });
}

}  // namespace

void FillStopping(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.best_measure().empty() && HasValidation(fill.data())) {
    config.set_best_measure(std::string(MeasuresOf(config.task()).front().name));
    fill.Chose("best_measure", config.best_measure(), "the task's main measure");
  }
  if (!config.has_early_stopping()) return;
  v1::EarlyStopping& stopping = *config.mutable_early_stopping();
  if (!stopping.has_patience()) {
    stopping.set_patience(std::max(config.epochs() / 5, 1u));
    fill.Chose("early_stopping.patience", stopping.patience(), "a fifth of the epochs, at least 1");
  }
  if (!stopping.has_min_delta()) {
    stopping.set_min_delta(0);
    fill.Chose("early_stopping.min_delta", 0, "the default");
  }
}

void CheckStopping(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (!config.best_measure().empty()) {
    if (FindMeasure(config.task(), config.best_measure()) == nullptr) {
      check.Wrong("best_measure", absl::StrCat("\"", config.best_measure(), "\""),
                  absl::StrCat("one of ", NamesOf(config.task())));
    }
    CheckHasValidation(check, "best_measure");
  }
  if (!config.has_early_stopping()) return;
  check.Count("early_stopping.patience", config.early_stopping().patience(), 1,
              std::numeric_limits<uint32_t>::max());
  const double min_delta = config.early_stopping().min_delta();
  check.Range("early_stopping.min_delta", min_delta, min_delta >= 0 && std::isfinite(min_delta),
              "a finite number of at least 0");
  CheckHasValidation(check, "early_stopping");
}

void CheckHasValidation(ConfigCheck& check, absl::string_view field) {
  if (HasValidation(check.data())) return;
  check.Wrong(field, "a data set without validation images",
              "some, on which the epochs are measured");
}

}  // namespace fovea
