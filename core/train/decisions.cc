#include "core/train/decisions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/base/check.h"
#include "core/model/open_set.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

// What a threshold makes of the examples of one label.
struct Outcome {
  int64_t true_positives = 0;
  int64_t predicted = 0;
  double threshold = 0;
};

// The point of (below, from] that is nearest to 0.5, or the middle when 0.5 is not in it.
double PointBetween(float below, float from) {
  if (below < 0.5f && 0.5f <= from) return 0.5;
  const float middle = static_cast<float>((double{below} + double{from}) / 2);
  return middle > below ? middle : from;
}

// One outcome for each way in which a threshold can part the scores, from the highest on.
std::vector<Outcome> Outcomes(absl::Span<const float> scores, absl::Span<const uint8_t> truth) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<Outcome> outcomes;
  // Above all scores, unless the highest is 1 already.
  if (scores[order[0]] < 1) outcomes.push_back({0, 0, PointBetween(scores[order[0]], 1)});
  int64_t hits = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const float score = scores[order[i]];
    hits += truth[order[i]] != 0;
    const bool last = i + 1 == order.size();
    if (!last && scores[order[i + 1]] == score) continue;
    const double threshold =
        last ? std::min(0.5, double{score}) : PointBetween(scores[order[i + 1]], score);
    outcomes.push_back({hits, static_cast<int64_t>(i + 1), threshold});
  }
  return outcomes;
}

// Compared from the first on; larger is better.
using Merit = std::tuple<double, double, double>;

Merit MeritOf(const v1::TunedThresholds& goal, const Outcome& outcome, int64_t positives) {
  const auto hits = static_cast<double>(outcome.true_positives);
  const auto predicted = static_cast<double>(outcome.predicted);
  const auto support = static_cast<double>(positives);
  if (goal.has_hamming_loss()) return {2 * hits - predicted, 0, 0};
  const double precision = outcome.predicted == 0 ? 0 : hits / predicted;
  if (goal.has_precision()) {
    if (precision >= goal.precision().at_least()) return {1, hits, precision};
    return {0, precision, hits};
  }
  return {2 * hits / (predicted + support), 0, 0};
}

std::vector<double> TunedThresholdsOf(const v1::TunedThresholds& goal, size_t labels,
                                      const Predictions& validation) {
  const size_t examples = validation.targets.size() / labels;
  std::vector<double> thresholds;
  for (size_t label = 0; label < labels; ++label) {
    std::vector<float> scores;
    std::vector<uint8_t> truth;
    for (size_t i = 0; i < examples; ++i) {
      const float target = validation.targets[i * labels + label];
      if (std::isnan(target)) continue;  // unknown
      scores.push_back(validation.probabilities[i * labels + label]);
      truth.push_back(target > 0.5f);
    }
    thresholds.push_back(TuneThreshold(goal, scores, truth));
  }
  return thresholds;
}

v1::OpenSetRule OpenSetRuleOf(const v1::OpenSet& config, size_t labels,
                              const Predictions& validation) {
  v1::OpenSetRule rule;
  if (config.has_energy()) {
    *rule.mutable_energy() = config.energy();
  } else {
    rule.mutable_maximum_probability();
  }
  const size_t examples = validation.targets.size() / labels;
  std::vector<double> scores(examples);
  const absl::Span<const float> probabilities(validation.probabilities), logits(validation.logits);
  for (size_t i = 0; i < examples; ++i) {
    scores[i] = OpenSetScore(rule, probabilities.subspan(i * labels, labels),
                             logits.empty() ? logits : logits.subspan(i * labels, labels));
  }
  rule.set_threshold(AcceptingThreshold(scores, config.accepted_share()));
  const auto accepted = std::count_if(scores.begin(), scores.end(),
                                      [&](double score) { return score >= rule.threshold(); });
  rule.set_accepted_share(static_cast<double>(accepted) / static_cast<double>(examples));
  return rule;
}

}  // namespace

double TuneThreshold(const v1::TunedThresholds& goal, absl::Span<const float> scores,
                     absl::Span<const uint8_t> truth) {
  const int64_t positives =
      std::count_if(truth.begin(), truth.end(), [](uint8_t t) { return t != 0; });
  if (scores.empty() || (positives == 0 && !goal.has_hamming_loss())) return 0.5;
  const std::vector<Outcome> outcomes = Outcomes(scores, truth);
  const auto key = [&](const Outcome& outcome) {
    return std::make_pair(MeritOf(goal, outcome, positives), -std::abs(outcome.threshold - 0.5));
  };
  return std::max_element(outcomes.begin(), outcomes.end(),
                          [&](const Outcome& a, const Outcome& b) { return key(a) < key(b); })
      ->threshold;
}

double AcceptingThreshold(std::vector<double> scores, double share) {
  CHECK(!scores.empty());
  const auto n = static_cast<double>(scores.size());
  // A share of 0.95 of 20 means 19, though 0.95 · 20 is a little more than that in double.
  const double wanted = std::ceil(share * n - 1e-9);
  const auto accepted = static_cast<size_t>(std::clamp(wanted, 1.0, n));
  const auto at = scores.end() - static_cast<std::ptrdiff_t>(accepted);
  std::nth_element(scores.begin(), at, scores.end());
  return *at;
}

Decisions GivenDecisions(const v1::TrainingConfig& config, absl::Span<const std::string> labels) {
  Decisions decisions;
  decisions.thresholds = ThresholdsOf(config, labels);
  return decisions;
}

bool NeedsTuning(const v1::TrainingConfig& config) {
  return config.has_tuned_thresholds() || config.has_open_set();
}

Decisions TuneDecisions(const v1::TrainingConfig& config, absl::Span<const std::string> labels,
                        const Predictions& validation) {
  Decisions decisions = GivenDecisions(config, labels);
  if (config.has_tuned_thresholds()) {
    const int outputs = OutputsOf(config.task(), static_cast<int>(labels.size()));
    decisions.thresholds =
        TunedThresholdsOf(config.tuned_thresholds(), static_cast<size_t>(outputs), validation);
  }
  if (config.has_open_set()) {
    decisions.open_set = OpenSetRuleOf(config.open_set(), labels.size(), validation);
  }
  return decisions;
}

}  // namespace fovea
