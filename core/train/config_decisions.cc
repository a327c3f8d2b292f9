// Tuned thresholds and open-set rejection of a configuration.
#include "core/train/config_sections.h"

namespace fovea {
namespace {

constexpr double kPrecision = 0.9;
constexpr double kAcceptedShare = 0.95;

void FillTunedThresholds(ConfigFill& fill) {
  v1::TunedThresholds& tuned = *fill.config().mutable_tuned_thresholds();
  if (tuned.goal_case() == v1::TunedThresholds::GOAL_NOT_SET) {
    tuned.mutable_f1();
    fill.Chose("thresholding.tuned_thresholds.goal", "f1", "the default");
  }
  if (tuned.has_precision() && !tuned.precision().has_at_least()) {
    tuned.mutable_precision()->set_at_least(kPrecision);
    fill.Chose("thresholding.tuned_thresholds.goal.precision.at_least", kPrecision, "the default");
  }
}

void FillOpenSet(ConfigFill& fill) {
  v1::OpenSet& open_set = *fill.config().mutable_open_set();
  if (!open_set.has_accepted_share()) {
    open_set.set_accepted_share(kAcceptedShare);
    fill.Chose("open_set.accepted_share", kAcceptedShare, "the default");
  }
  if (open_set.score_case() == v1::OpenSet::SCORE_NOT_SET) {
    open_set.mutable_maximum_probability();
    fill.Chose("open_set.score", "maximum_probability", "the default");
  }
  if (open_set.has_energy() && !open_set.energy().has_temperature()) {
    open_set.mutable_energy()->set_temperature(1);
    fill.Chose("open_set.score.energy.temperature", 1, "the default");
  }
}

void CheckTunedThresholds(ConfigCheck& check) {
  if (!check.has_thresholds()) {
    check.Wrong("thresholding.tuned_thresholds",
                absl::StrCat("thresholds for a ", check.TaskText(), " task"), "none");
    return;
  }
  CheckHasValidation(check, "thresholding.tuned_thresholds");
  const v1::TunedThresholds& tuned = check.config().tuned_thresholds();
  if (!tuned.has_precision()) return;
  const double precision = tuned.precision().at_least();
  check.Range("thresholding.tuned_thresholds.goal.precision.at_least", precision,
              precision > 0 && precision <= 1, "a number in (0, 1]");
}

void CheckOpenSet(ConfigCheck& check) {
  if (check.config().task() != v1::TASK_SINGLE_LABEL) {
    check.Wrong("open_set", absl::StrCat("one for ", v1::Task_Name(check.config().task())),
                "a single-label task");
    return;
  }
  CheckHasValidation(check, "open_set");
  const v1::OpenSet& open_set = check.config().open_set();
  check.Range("open_set.accepted_share", open_set.accepted_share(),
              open_set.accepted_share() > 0 && open_set.accepted_share() <= 1,
              "a number in (0, 1]");
  if (!open_set.has_energy()) return;
  const double temperature = open_set.energy().temperature();
  check.Range("open_set.score.energy.temperature", temperature,
              temperature >= 0.01 && temperature <= 1000, "a number in [0.01, 1000]");
}

}  // namespace

void FillDecisions(ConfigFill& fill) {
  if (fill.config().has_tuned_thresholds()) FillTunedThresholds(fill);
  if (fill.config().has_open_set()) FillOpenSet(fill);
}

void CheckDecisions(ConfigCheck& check) {
  if (check.config().has_tuned_thresholds()) CheckTunedThresholds(check);
  if (check.config().has_open_set()) CheckOpenSet(check);
}

}  // namespace fovea
