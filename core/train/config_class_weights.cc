// Class weights computed from the training split: inverse frequency, effective number.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

constexpr double kDefaultBeta = 0.999;

// Training images of each label, at least 1.
std::vector<double> Counts(const DatasetStatistics& data) {
  std::vector<double> counts;
  for (const LabelCounts& label : data.labels) {
    const int64_t images = label.images[static_cast<size_t>(Split::kTrain)];
    counts.push_back(static_cast<double>(std::max<int64_t>(images, 1)));
  }
  return counts;
}

// Scales weights so that Σ weights = their number.
std::vector<double> Normalised(std::vector<double> weights) {
  double sum = 0;
  for (double weight : weights) sum += weight;
  for (double& weight : weights) weight *= static_cast<double>(weights.size()) / sum;
  return weights;
}

std::vector<double> InverseFrequency(const std::vector<double>& counts) {
  double n = 0;
  for (double count : counts) n += count;
  std::vector<double> weights;
  for (double count : counts) weights.push_back(n / (static_cast<double>(counts.size()) * count));
  return weights;
}

// 1 − betaⁿ without cancellation; beta 0 gives 1.
std::vector<double> EffectiveNumber(const std::vector<double>& counts, double beta) {
  std::vector<double> weights;
  for (double count : counts) {
    weights.push_back(beta == 0 ? 1 : (1 - beta) / -std::expm1(count * std::log(beta)));
  }
  return Normalised(std::move(weights));
}

using ByLabel = google::protobuf::Map<std::string, double>;

// Gives the labels that have no weight theirs, and writes all of them down.
void Resolve(ConfigFill& fill, const std::string& method, const std::vector<double>& weights,
             const std::string& reason, ByLabel& by_label) {
  bool computed = false;
  std::vector<std::string> texts;
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string& label = fill.data().labels[i].label;
    computed |= by_label.insert({label, weights[i]}).second;
    texts.push_back(absl::StrCat(label, " ", by_label.at(label)));
  }
  if (!computed) return;
  fill.Chose(absl::StrCat("class_weighting.", method, ".by_label"), absl::StrJoin(texts, ", "),
             reason);
}

void CheckByLabel(ConfigCheck& check, const std::string& method, const ByLabel& by_label) {
  const std::string field = absl::StrCat("class_weighting.", method, ".by_label");
  const std::vector<LabelCounts>& labels = check.data().labels;
  for (const auto& [name, weight] :
       std::map<std::string, double>(by_label.begin(), by_label.end())) {
    const bool known =
        std::any_of(labels.begin(), labels.end(),
                    [&wanted = name](const LabelCounts& label) { return label.label == wanted; });
    if (!known) {
      check.Wrong(field, absl::StrCat("the label \"", name, "\""), "a label of the data set");
    }
    check.Range(absl::StrCat(field, "[\"", name, "\"]"), weight,
                weight >= 0 && std::isfinite(weight), "a finite number >= 0");
  }
  if (std::all_of(by_label.begin(), by_label.end(), [](const auto& e) { return e.second == 0; })) {
    check.Wrong(field, "0 for every label", "a weight > 0");
  }
}

}  // namespace

void FillClassWeights(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (fill.is_regression()) return;  // for the check to tell
  if (config.has_inverse_frequency()) {
    Resolve(fill, "inverse_frequency", InverseFrequency(Counts(fill.data())),
            "n / (k n_c), from the images of the training split",
            *config.mutable_inverse_frequency()->mutable_by_label());
  }
  if (!config.has_effective_number()) return;
  v1::EffectiveNumberWeights& effective = *config.mutable_effective_number();
  if (!effective.has_beta()) {
    effective.set_beta(kDefaultBeta);
    fill.Chose("class_weighting.effective_number.beta", kDefaultBeta, "the default");
  }
  if (!(effective.beta() >= 0 && effective.beta() < 1)) return;  // for the check to tell
  Resolve(fill, "effective_number", EffectiveNumber(Counts(fill.data()), effective.beta()),
          "in proportion to (1 - beta) / (1 - beta ^ n_c), from the images of the training split",
          *effective.mutable_by_label());
}

void CheckClassWeights(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (check.is_regression()) {
    if (config.class_weighting_case() == v1::TrainingConfig::CLASS_WEIGHTING_NOT_SET) return;
    check.Wrong("class_weighting", absl::StrCat("one for a ", check.TaskText(), " task"), "none");
    return;
  }
  if (config.has_inverse_frequency()) {
    CheckByLabel(check, "inverse_frequency", config.inverse_frequency().by_label());
  }
  if (!config.has_effective_number()) return;
  const double beta = config.effective_number().beta();
  if (beta >= 0 && beta < 1) {
    CheckByLabel(check, "effective_number", config.effective_number().by_label());
  } else {
    check.Wrong("class_weighting.effective_number.beta", beta, "a number in [0, 1)");
  }
}

}  // namespace fovea
