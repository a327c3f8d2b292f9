// How a net begins, and stochastic depth, of a configuration.
#include <cmath>

#include "core/nets/net.h"
#include "core/train/config_sections.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

constexpr double kUsualConstant = 0.01;

// Whether the net can be built with what needs residual branches. CheckNet said whether it can be
// built at all.
void CheckBranches(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  NetOptions options = NetOptionsOf(config, static_cast<int>(check.data().labels.size()));
  options.dropout = 0;
  const auto net = BuildNet(options, /*batch=*/1);
  if (net.ok()) return;
  check.Violation(config.zero_last_gamma() ? "zero_last_gamma" : "stochastic_depth",
                  absl::string_view(net.status().message()));
}

}  // namespace

void FillInitialization(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.initializer() == v1::INITIALIZER_UNSPECIFIED) {
    config.set_initializer(v1::INITIALIZER_BY_LAYER);
    fill.Chose("initializer", "INITIALIZER_BY_LAYER",
               "He normal where a rectifier follows, Glorot uniform in the last layer");
  }
  if (config.initializer() == v1::INITIALIZER_CONSTANT && !config.has_initial_constant()) {
    config.set_initial_constant(kUsualConstant);
    fill.Chose("initial_constant", kUsualConstant, "the default");
  }
  if (!config.has_stochastic_depth()) config.set_stochastic_depth(0);
}

void CheckInitialization(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  const bool wrong_before = check.HasViolations();
  if (!v1::Initializer_IsValid(config.initializer())) {
    check.Wrong("initializer", static_cast<int>(config.initializer()),
                absl::StrCat("at most ", static_cast<int>(v1::Initializer_MAX)));
  }
  const bool constant = config.initializer() == v1::INITIALIZER_CONSTANT;
  if (config.has_initial_constant() && !constant) {
    check.Wrong("initial_constant", config.initial_constant(), "none without INITIALIZER_CONSTANT");
  }
  if (constant) {
    check.Range("initial_constant", config.initial_constant(),
                std::isfinite(static_cast<float>(config.initial_constant())), "a finite number");
  }
  const double depth = config.stochastic_depth();
  check.Range("stochastic_depth", depth, depth >= 0 && static_cast<float>(depth) < 1,
              "a number in [0, 1)");
  const bool needs_branches = config.zero_last_gamma() || depth > 0;
  if (needs_branches && !wrong_before && !check.HasViolations()) CheckBranches(check);
}

}  // namespace fovea
