// How long, from which seed and on what a configuration runs.
#include <algorithm>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

constexpr uint32_t kDefaultBatch = 64;
constexpr uint32_t kMaxBatch = 4096;
constexpr uint32_t kDefaultEpochs = 20;
constexpr uint32_t kMaxEpochs = 100000;
constexpr uint32_t kMaxWidth = 1024;

}  // namespace

void FillLength(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (!config.has_batch_size()) {
    // Several batches may make one update; together they are at most an epoch.
    const int64_t examples =
        ExamplesPerEpoch(config, fill.data()) / std::max(1u, config.accumulate_batches());
    const bool small = examples < kDefaultBatch;
    config.set_batch_size(small ? static_cast<uint32_t>(examples) : kDefaultBatch);
    fill.Chose("batch_size", config.batch_size(),
               small ? "an epoch has no more images" : "the default");
  }
  if (!config.has_epochs()) {
    config.set_epochs(kDefaultEpochs);
    fill.Chose("epochs", config.epochs(), "the default");
  }
  if (!config.has_seed()) {
    config.set_seed(1);
    fill.Chose("seed", config.seed(), "the default");
  }
}

void CheckLength(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  check.Count("batch_size", config.batch_size(), 1, kMaxBatch);
  const int64_t examples = ExamplesPerEpoch(config, check.data());
  if (config.batch_size() <= kMaxBatch && config.batch_size() > examples) {
    check.Wrong("batch_size", config.batch_size(),
                absl::StrCat("at most ", examples, ", the images of an epoch"));
  }
  check.Count("epochs", config.epochs(), 1, kMaxEpochs);
}

void FillExecution(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.backend() == v1::BACKEND_UNSPECIFIED) {
    const bool f64 = config.precision() == v1::PRECISION_FP64;
    config.set_backend(f64 ? v1::BACKEND_REFERENCE : v1::BACKEND_CPU);
    fill.Chose("backend", v1::Backend_Name(config.backend()),
               f64 ? "the one that computes in FP64" : "the default");
  }
  if (!config.has_width()) {
    config.set_width(static_cast<uint32_t>(fill.default_width()));
    fill.Chose("width", config.width(), "the cores left for training");
  }
}

void CheckExecution(ConfigCheck& check) {
  if (!v1::Backend_IsValid(check.config().backend())) {
    check.Wrong("backend", static_cast<int>(check.config().backend()),
                "BACKEND_CPU or BACKEND_REFERENCE");
  }
  check.Count("width", check.config().width(), 1, kMaxWidth);
}

}  // namespace fovea
