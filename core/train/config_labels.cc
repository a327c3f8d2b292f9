// What a configuration gives by label: class weights and thresholds.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

// The names in `map`, in order, those that the data set lacks reported.
template <typename Map>
std::vector<std::string> KnownLabels(ConfigCheck& check, const std::string& field, const Map& map) {
  const auto is_known = [&check](const std::string& name) {
    return std::any_of(check.data().labels.begin(), check.data().labels.end(),
                       [&](const LabelCounts& label) { return label.label == name; });
  };
  std::vector<std::string> names;
  for (const auto& entry : map) names.push_back(entry.first);
  std::sort(names.begin(), names.end());
  const auto unknown = std::stable_partition(names.begin(), names.end(), is_known);
  for (auto name = unknown; name != names.end(); ++name) {
    check.Wrong(field, absl::StrCat("the label \"", *name, "\""), "a label of the data set");
  }
  names.erase(unknown, names.end());
  return names;
}

void CheckGivenWeights(ConfigCheck& check) {
  const std::string field = "class_weighting.class_weights.by_label";
  if (check.is_regression() || !check.config().has_class_weights()) return;
  const auto& weight_of = check.config().class_weights().by_label();
  for (const std::string& name : KnownLabels(check, field, weight_of)) {
    const double weight = weight_of.at(name);
    check.Range(absl::StrCat(field, "[\"", name, "\"]"), weight,
                weight >= 0 && std::isfinite(weight), "a finite number >= 0");
  }
  const std::vector<LabelCounts>& labels = check.data().labels;
  if (std::all_of(labels.begin(), labels.end(), [&](const LabelCounts& label) {
        const auto weight = weight_of.find(label.label);
        return weight != weight_of.end() && weight->second == 0;
      })) {
    check.Wrong(field, "0 for every label", "a weight > 0");
  }
}

void CheckThresholds(ConfigCheck& check) {
  if (!check.config().has_thresholds()) return;
  if (!check.has_thresholds()) {
    check.Wrong("thresholding.thresholds",
                absl::StrCat("thresholds for a ", check.TaskText(), " task"), "none");
    return;
  }
  const v1::LabelThresholds& thresholds = check.config().thresholds();
  check.Share("thresholding.thresholds.every_label", thresholds.every_label());
  const std::string field = "thresholding.thresholds.by_label";
  for (const std::string& name : KnownLabels(check, field, thresholds.by_label())) {
    const std::string entry = absl::StrCat(field, "[\"", name, "\"]");
    check.Share(entry, thresholds.by_label().at(name));
    if (check.config().task() == v1::TASK_BINARY && name != check.data().labels.back().label) {
      check.Wrong(
          entry, "a threshold of the negative label",
          absl::StrCat("that of the positive one, \"", check.data().labels.back().label, "\""));
    }
  }
}

}  // namespace

void FillLabels(ConfigFill& fill) {
  if (!fill.has_thresholds() || fill.config().has_tuned_thresholds()) return;
  v1::LabelThresholds& thresholds = *fill.config().mutable_thresholds();
  if (thresholds.has_every_label()) return;
  thresholds.set_every_label(0.5);
  fill.Chose("thresholding.thresholds.every_label", 0.5, "the default");
}

void CheckLabels(ConfigCheck& check) {
  CheckGivenWeights(check);
  CheckThresholds(check);
}

}  // namespace fovea
