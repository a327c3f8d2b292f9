#include "core/train/config_sections.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_replace.h"

namespace fovea {

ConfigFill::ConfigFill(v1::TrainingConfig config, const DatasetStatistics& data,
                       const TrainingBudget& budget, const v1::ModelManifest* start)
    : data_(data), budget_(budget), start_(start) {
  budget_.width = std::max(budget_.width, 1);
  budget_.cache_bytes = std::max<int64_t>(budget_.cache_bytes, 0);
  complete_.config = std::move(config);
}

void ConfigFill::Chose(absl::string_view field, const absl::AlphaNum& value,
                       absl::string_view reason) {
  v1::Choice choice;
  choice.set_name(absl::StrCat("config.", field));
  choice.set_value(std::string(value.Piece()));
  choice.set_reason(std::string(reason));
  complete_.choices.push_back(std::move(choice));
}

std::string ConfigCheck::TaskText() const {
  return absl::StrReplaceAll(TaskName(data_.task), {{"_", "-"}});
}

void ConfigCheck::Wrong(absl::string_view field, const absl::AlphaNum& found,
                        absl::string_view expected) {
  Violation(field, absl::StrCat("found ", found.Piece(), ", expected ", expected));
}

void ConfigCheck::Violation(absl::string_view field, absl::string_view description) {
  violations_.push_back({absl::StrCat("config.", field), std::string(description)});
}

void ConfigCheck::Range(absl::string_view field, double found, bool in_range,
                        absl::string_view expected) {
  if (!in_range) Wrong(field, found, expected);
}

void ConfigCheck::Count(absl::string_view field, uint32_t found, uint32_t min, uint32_t max) {
  if (found < min || found > max) Wrong(field, found, absl::StrCat(min, " to ", max));
}

void ConfigCheck::Share(absl::string_view field, double found) {
  Range(field, found, found >= 0 && found <= 1, "a number in [0, 1]");
}

void ConfigCheck::Positive(absl::string_view field, double found) {
  Range(field, found,
        found >= std::numeric_limits<float>::min() && found <= std::numeric_limits<float>::max(),
        "a finite number > 0");
}

}  // namespace fovea
