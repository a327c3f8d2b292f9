// What an epoch consists of, of a configuration.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/train/config_sections.h"

namespace fovea {

// Several labels an image share images in ways that counts do not tell: there the trainer itself
// checks how long an epoch is.
int64_t ExamplesPerEpoch(const v1::TrainingConfig& config, const DatasetStatistics& data) {
  constexpr auto kTrain = static_cast<size_t>(Split::kTrain);
  const bool over = config.has_over_sampling();
  if (data.task == Task::kMultiLabel || (!over && !config.has_under_sampling())) {
    return data.images[kTrain];
  }
  std::vector<int64_t> counts;
  for (const LabelCounts& label : data.labels) {
    if (label.images[kTrain] > 0) counts.push_back(label.images[kTrain]);
  }
  if (counts.empty()) return data.images[kTrain];
  const auto [smallest, largest] = std::minmax_element(counts.begin(), counts.end());
  return static_cast<int64_t>(counts.size()) * (over ? *largest : *smallest);
}

void FillSampling(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (!config.has_class_balanced_sampling()) return;
  v1::ClassBalancedSampling& sampling = *config.mutable_class_balanced_sampling();
  if (sampling.has_power()) return;
  sampling.set_power(0);
  fill.Chose("sampling.class_balanced_sampling.power", 0, "the default: every class alike");
}

void CheckSampling(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (check.is_regression()) {
    const std::string found = absl::StrCat("one for a ", check.TaskText(), " task");
    if (config.sampling_case() != v1::TrainingConfig::SAMPLING_NOT_SET) {
      check.Wrong("sampling", found, "none");
    }
    if (config.has_common_class_augmentation()) {
      check.Wrong("common_class_augmentation", found, "none");
    }
    return;
  }
  if (config.has_class_balanced_sampling()) {
    check.Share("sampling.class_balanced_sampling.power", config.class_balanced_sampling().power());
  }
  if (config.has_common_class_augmentation()) {
    check.Share("common_class_augmentation", config.common_class_augmentation());
  }
}

}  // namespace fovea
