// The architecture of a configuration.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/nets/net.h"
#include "core/train/config_sections.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

constexpr uint32_t kMaxHiddenUnits = 65536;
constexpr int kMaxHiddenLayers = 16;

void CheckMlp(ConfigCheck& check) {
  const v1::Mlp& mlp = check.config().mlp();
  if (mlp.hidden_size() > kMaxHiddenLayers) {
    check.Wrong("architecture.mlp.hidden", absl::StrCat(mlp.hidden_size(), " layers"),
                absl::StrCat("at most ", kMaxHiddenLayers));
  }
  for (int i = 0; i < mlp.hidden_size(); ++i) {
    check.Count(absl::StrCat("architecture.mlp.hidden[", i, "]"), mlp.hidden(i), 1,
                kMaxHiddenUnits);
  }
}

void CheckName(ConfigCheck& check) {
  const std::string& net = check.config().net();
  const std::vector<absl::string_view> known = NetNames();
  if (std::find(known.begin(), known.end(), net) != known.end()) return;
  check.Wrong("architecture.net", absl::StrCat("\"", net, "\""),
              absl::StrCat("one of ", absl::StrJoin(known, ", ")));
}

// Builds the graph, without memory for its weights, to learn whether the input is large enough.
void CheckFit(ConfigCheck& check) {
  const int labels = static_cast<int>(check.data().labels.size());
  NetOptions options = NetOptionsOf(check.config(), OutputsOf(check.config().task(), labels));
  options.dropout = 0;  // has a check of its own, as those of config_initialization.cc
  options.zero_last_gamma = false;
  options.stochastic_depth = 0;
  const auto net = BuildNet(options, /*batch=*/1);
  if (net.ok()) return;
  const v1::TrainingConfig& config = check.config();
  check.Violation(config.has_mlp()        ? "architecture.mlp"
                  : config.has_net_text() ? "architecture.net_text"
                                          : "architecture.net",
                  absl::string_view(net.status().message()));
}

}  // namespace

void FillNet(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  const uint32_t side = std::min(config.input().width(), config.input().height());
  if (config.architecture_case() == v1::TrainingConfig::ARCHITECTURE_NOT_SET) {
    config.set_net(side <= 64 ? "resnet8" : "resnet18");
    fill.Chose("architecture.net", config.net(),
               side <= 64 ? "the input's shorter side is at most 64 pixels"
                          : "the input's shorter side is above 64 pixels");
  }
  if (config.architecture_case() == v1::TrainingConfig::kNet && config.net() == "mlp") {
    config.mutable_mlp();
  }
  if (config.has_mlp() && config.mlp().hidden().empty()) {
    for (const uint32_t units : {256u, 128u}) config.mutable_mlp()->add_hidden(units);
    fill.Chose("architecture.mlp.hidden", absl::StrJoin(config.mlp().hidden(), ", "),
               "the default");
  }
}

void CheckNet(ConfigCheck& check) {
  const bool wrong_before = check.HasViolations();
  if (check.config().has_mlp()) {
    CheckMlp(check);
  } else if (!check.config().has_net_text()) {
    CheckName(check);
  }
  // Whether the net can be built needs a valid input as well.
  if (!wrong_before && !check.HasViolations()) CheckFit(check);
}

}  // namespace fovea
