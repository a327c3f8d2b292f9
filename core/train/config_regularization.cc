// What a configuration does to gradients and weights beside the update rule.
#include <algorithm>
#include <cstdint>

#include "core/train/config_sections.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

constexpr uint32_t kMaxAccumulated = 1024;

void FillDecay(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (!config.has_decoupled_weight_decay() && (config.has_adam_w() || config.has_lion())) {
    config.set_decoupled_weight_decay(config.has_lion() ? 0.1 : 0.01);
    fill.Chose("decoupled_weight_decay", config.decoupled_weight_decay(),
               config.has_lion() ? "ten times adam_w's, since the rate is a tenth"
                                 : "the default for adam_w");
  }
  if (config.has_weight_decay()) return;
  const bool decoupled = config.decoupled_weight_decay() > 0;
  config.set_weight_decay(decoupled ? 0 : 0.0005);
  fill.Chose("weight_decay", config.weight_decay(),
             decoupled ? "decoupled_weight_decay takes its place" : "the default");
}

void CheckAccumulation(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (!config.has_accumulate_batches()) return;
  check.Count("accumulate_batches", config.accumulate_batches(), 1, kMaxAccumulated);
  const int64_t examples = check.data().images[static_cast<int>(Split::kTrain)];
  if (config.batch_size() <= examples && ExamplesPerStep(config) > examples) {
    check.Wrong(
        "accumulate_batches",
        absl::StrCat(config.accumulate_batches(), " batches of ", config.batch_size()),
        absl::StrCat("at most ", examples, " images together, those of the training split"));
  }
}

}  // namespace

void FillRegularization(ConfigFill& fill) {
  FillDecay(fill);
  v1::TrainingConfig& config = fill.config();
  if (config.has_average() && !config.average().has_decay()) {
    config.mutable_average()->set_decay(0.999);
    fill.Chose("average.decay", 0.999, "about the last thousand updates, fewer at the start");
  }
}

void CheckRegularization(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  check.Share("weight_decay", config.weight_decay());
  check.Share("l1_decay", config.l1_decay());
  check.Share("decoupled_weight_decay", config.decoupled_weight_decay());
  if (config.has_clip_value()) check.Positive("clip_value", config.clip_value());
  if (config.has_clip_norm()) check.Positive("clip_norm", config.clip_norm());
  if (config.has_average()) {
    const double decay = config.average().decay();
    check.Range("average.decay", decay, decay >= 0 && decay < 1, "a number in [0, 1)");
  }
  CheckAccumulation(check);
}

}  // namespace fovea
