#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/nets/net.h"
#include "core/train/config.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

constexpr uint32_t kMaxBatch = 4096;
constexpr uint32_t kMaxEpochs = 100000;
constexpr uint32_t kMaxSide = 1024;
constexpr uint32_t kMaxHiddenUnits = 65536;
constexpr int kMaxHiddenLayers = 16;
constexpr uint32_t kMaxWidth = 1024;

// Holds a complete configuration against the data set and collects what is wrong.
class Checker {
 public:
  Checker(const v1::TrainingConfig& config, const DatasetStatistics& data)
      : config_(config), data_(data) {}

  std::vector<FieldViolation> Run() {
    CheckTask();
    CheckInput();
    CheckArchitecture();
    CheckLength();
    CheckOptimizer();
    CheckSchedule();
    CheckLabelMaps();
    CheckAugmentation();
    CheckRange("dropout", config_.dropout(), config_.dropout() >= 0 && config_.dropout() < 1,
               "a number in [0, 1)");
    CheckExecution();
    return std::move(violations_);
  }

 private:
  void Wrong(absl::string_view field, const absl::AlphaNum& found, absl::string_view expected) {
    violations_.push_back({absl::StrCat("config.", field),
                           absl::StrCat("found ", found.Piece(), ", expected ", expected)});
  }

  // `in_range` is false for NaN as well, whichever way its comparison was written.
  void CheckRange(absl::string_view field, double found, bool in_range,
                  absl::string_view expected) {
    if (!in_range) Wrong(field, found, expected);
  }
  void CheckCount(absl::string_view field, uint32_t found, uint32_t min, uint32_t max) {
    if (found < min || found > max) Wrong(field, found, absl::StrCat(min, " to ", max));
  }
  void CheckShare(absl::string_view field, double found) {
    CheckRange(field, found, found >= 0 && found <= 1, "a number in [0, 1]");
  }

  // As a float, which is what the kernels compute with.
  void CheckPositive(absl::string_view field, double found) {
    CheckRange(
        field, found,
        found >= std::numeric_limits<float>::min() && found <= std::numeric_limits<float>::max(),
        "a finite number > 0");
  }

  void CheckTask() {
    const v1::Task expected =
        data_.task == Task::kMultiLabel ? v1::TASK_MULTI_LABEL : v1::TASK_SINGLE_LABEL;
    if (config_.task() == expected) return;
    Wrong("task",
          v1::Task_IsValid(config_.task()) ? v1::Task_Name(config_.task())
                                           : absl::StrCat(config_.task()),
          absl::StrCat(v1::Task_Name(expected), ", the data set's task"));
  }

  void CheckInput() {
    CheckCount("input.width", config_.input().width(), 1, kMaxSide);
    CheckCount("input.height", config_.input().height(), 1, kMaxSide);
    const uint32_t channels = config_.input().channels();
    if (channels != 1 && channels != 3) Wrong("input.channels", channels, "1 (grey) or 3 (RGB)");
  }

  void CheckArchitecture() {
    const size_t wrong_before = violations_.size();
    if (config_.has_mlp()) {
      CheckMlp();
    } else {
      const std::vector<absl::string_view> known = NetNames();
      if (std::find(known.begin(), known.end(), config_.net()) == known.end()) {
        Wrong("architecture.net", absl::StrCat("\"", config_.net(), "\""),
              absl::StrCat("one of ", absl::StrJoin(known, ", ")));
      }
    }
    // Whether the net can be built needs a valid input as well.
    if (violations_.size() == wrong_before && wrong_before == 0) CheckFit();
  }

  void CheckMlp() {
    if (config_.mlp().hidden_size() > kMaxHiddenLayers) {
      Wrong("architecture.mlp.hidden", absl::StrCat(config_.mlp().hidden_size(), " layers"),
            absl::StrCat("at most ", kMaxHiddenLayers));
    }
    for (int i = 0; i < config_.mlp().hidden_size(); ++i) {
      CheckCount(absl::StrCat("architecture.mlp.hidden[", i, "]"), config_.mlp().hidden(i), 1,
                 kMaxHiddenUnits);
    }
  }

  // Builds the graph, without memory for its weights, to learn whether the input is large enough.
  void CheckFit() {
    NetOptions options = NetOptionsOf(config_, static_cast<int>(data_.labels.size()));
    options.dropout = 0;  // has a check of its own
    const auto net = BuildNet(options, /*batch=*/1);
    if (net.ok()) return;
    violations_.push_back(
        {config_.has_mlp() ? "config.architecture.mlp" : "config.architecture.net",
         std::string(net.status().message())});
  }

  void CheckLength() {
    CheckCount("batch_size", config_.batch_size(), 1, kMaxBatch);
    const int64_t examples = data_.images[static_cast<int>(Split::kTrain)];
    if (config_.batch_size() <= kMaxBatch && config_.batch_size() > examples) {
      Wrong("batch_size", config_.batch_size(),
            absl::StrCat("at most ", examples, ", the images of the training split"));
    }
    CheckCount("epochs", config_.epochs(), 1, kMaxEpochs);
  }

  void CheckOptimizer() {
    if (config_.has_sgd()) {
      const v1::Sgd& sgd = config_.sgd();
      CheckRange("optimizer.sgd.momentum", sgd.momentum(),
                 sgd.momentum() >= 0 && sgd.momentum() < 1, "a number in [0, 1)");
      if (sgd.nesterov() && sgd.momentum() == 0) {
        Wrong("optimizer.sgd.nesterov", "true with momentum 0", "a momentum > 0");
      }
    } else {
      const v1::Adam& adam = config_.adam();
      CheckRange("optimizer.adam.beta1", adam.beta1(), adam.beta1() >= 0 && adam.beta1() < 1,
                 "a number in [0, 1)");
      CheckRange("optimizer.adam.beta2", adam.beta2(), adam.beta2() >= 0 && adam.beta2() < 1,
                 "a number in [0, 1)");
      CheckPositive("optimizer.adam.epsilon", adam.epsilon());
    }
    CheckPositive("learning_rate", config_.learning_rate());
    CheckShare("weight_decay", config_.weight_decay());
  }

  void CheckSchedule() {
    if (config_.has_cosine()) {
      CheckShare("schedule.cosine.final_factor", config_.cosine().final_factor());
    }
    if (config_.has_step()) {
      if (config_.step().every_epochs() < 1) {
        Wrong("schedule.step.every_epochs", config_.step().every_epochs(), "at least 1");
      }
      const double gamma = config_.step().gamma();
      CheckRange("schedule.step.gamma", gamma, gamma > 0 && gamma <= 1, "a number in (0, 1]");
    }
    const double warmup = config_.warmup_epochs();
    CheckRange("warmup_epochs", warmup, warmup >= 0 && warmup <= config_.epochs(),
               absl::StrCat("a number in [0, ", config_.epochs(), "], the epochs"));
  }

  bool IsKnownLabel(const std::string& name) const {
    return std::any_of(data_.labels.begin(), data_.labels.end(),
                       [&](const LabelCounts& label) { return label.label == name; });
  }

  // The names in `map`, in order, those that the data set lacks reported.
  template <typename Map>
  std::vector<std::string> KnownLabels(const std::string& field, const Map& map) {
    std::vector<std::string> names;
    for (const auto& entry : map) names.push_back(entry.first);
    std::sort(names.begin(), names.end());
    const auto unknown = std::stable_partition(
        names.begin(), names.end(), [this](const std::string& name) { return IsKnownLabel(name); });
    for (auto name = unknown; name != names.end(); ++name) {
      Wrong(field, absl::StrCat("the label \"", *name, "\""), "a label of the data set");
    }
    names.erase(unknown, names.end());
    return names;
  }

  void CheckLabelMaps() {
    const std::string weights = "class_weighting.class_weights.by_label";
    const auto& weight_of = config_.class_weights().by_label();
    for (const std::string& name : KnownLabels(weights, weight_of)) {
      const double weight = weight_of.at(name);
      CheckRange(absl::StrCat(weights, "[\"", name, "\"]"), weight,
                 weight >= 0 && std::isfinite(weight), "a finite number >= 0");
    }
    if (std::all_of(data_.labels.begin(), data_.labels.end(), [&](const LabelCounts& label) {
          const auto weight = weight_of.find(label.label);
          return weight != weight_of.end() && weight->second == 0;
        })) {
      Wrong(weights, "0 for every label", "a weight > 0");
    }
    if (!config_.has_thresholds()) return;
    if (config_.task() != v1::TASK_MULTI_LABEL) {
      Wrong("thresholding.thresholds", "thresholds for a single-label task", "none");
      return;
    }
    CheckShare("thresholding.thresholds.every_label", config_.thresholds().every_label());
    const std::string thresholds = "thresholding.thresholds.by_label";
    const auto& threshold_of = config_.thresholds().by_label();
    for (const std::string& name : KnownLabels(thresholds, threshold_of)) {
      CheckShare(absl::StrCat(thresholds, "[\"", name, "\"]"), threshold_of.at(name));
    }
  }

  void CheckAugmentation() {
    const uint32_t most = std::min(config_.input().width(), config_.input().height()) / 2;
    if (config_.augmentation().pad_and_crop_pixels() > most) {
      Wrong("augmentation.pad_and_crop_pixels", config_.augmentation().pad_and_crop_pixels(),
            absl::StrCat("at most ", most, ", half the shorter input side"));
    }
    CheckShare("augmentation.horizontal_flip", config_.augmentation().horizontal_flip());
    CheckShare("augmentation.vertical_flip", config_.augmentation().vertical_flip());
  }

  void CheckExecution() {
    if (!v1::Backend_IsValid(config_.backend())) {
      Wrong("backend", static_cast<int>(config_.backend()), "BACKEND_CPU or BACKEND_REFERENCE");
    }
    CheckCount("width", config_.width(), 1, kMaxWidth);
  }

  const v1::TrainingConfig& config_;
  const DatasetStatistics& data_;
  std::vector<FieldViolation> violations_;
};

}  // namespace

std::vector<FieldViolation> FindViolations(const v1::TrainingConfig& config,
                                           const DatasetStatistics& data) {
  return Checker(config, data).Run();
}

}  // namespace fovea
