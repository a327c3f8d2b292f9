#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/train/config.h"

namespace fovea {
namespace {

constexpr int kMaxDefaultSide = 224;
constexpr uint32_t kDefaultBatch = 64;
constexpr uint32_t kDefaultEpochs = 20;

// Fills a configuration field by field and writes down each choice.
class Completer {
 public:
  Completer(v1::TrainingConfig config, const DatasetStatistics& data, int default_width)
      : data_(data), default_width_(std::max(default_width, 1)) {
    complete_.config = std::move(config);
  }

  CompleteConfig Run() {
    FillTask();
    FillInput();
    FillArchitecture();
    FillLength();
    FillOptimizer();
    FillSchedule();
    FillRegularisation();
    FillThresholds();
    FillExecution();
    return std::move(complete_);
  }

 private:
  v1::TrainingConfig& config() { return complete_.config; }

  void Chose(absl::string_view field, const absl::AlphaNum& value, absl::string_view reason) {
    v1::Choice choice;
    choice.set_name(absl::StrCat("config.", field));
    choice.set_value(std::string(value.Piece()));
    choice.set_reason(std::string(reason));
    complete_.choices.push_back(std::move(choice));
  }

  void FillTask() {
    if (config().task() != v1::TASK_UNSPECIFIED) return;
    const bool multi = data_.task == Task::kMultiLabel;
    config().set_task(multi ? v1::TASK_MULTI_LABEL : v1::TASK_SINGLE_LABEL);
    Chose("task", v1::Task_Name(config().task()), "the data set's task");
  }

  void FillInput() {
    v1::InputShape& input = *config().mutable_input();
    FillSides(input);
    if (!input.has_channels()) {
      const auto grey = data_.images_by_channels.find(1);
      const bool all_grey = grey != data_.images_by_channels.end() && grey->second == data_.total();
      input.set_channels(all_grey ? 1 : 3);
      Chose("input.channels", input.channels(),
            all_grey ? "every picture of the data set is grey"
                     : "the data set has pictures in colour");
    }
  }

  // An absent side follows from the given one and the pictures' aspect; two absent ones are the
  // median, scaled down to kMaxDefaultSide.
  void FillSides(v1::InputShape& input) {
    const double width = std::max(data_.width.median, 1);
    const double height = std::max(data_.height.median, 1);
    double scale = std::min(1.0, kMaxDefaultSide / std::max(width, height));
    std::string reason = scale < 1 ? "median of the data set's images, scaled to at most 224"
                                   : "median of the data set's images";
    if (input.has_width() != input.has_height()) {
      scale = input.has_width() ? input.width() / width : input.height() / height;
      reason = "keeps the aspect of the data set's median image";
    }
    const auto side = [scale](double median) {
      return static_cast<uint32_t>(std::clamp(std::round(median * scale), 1.0, 1024.0));
    };
    if (!input.has_width()) {
      input.set_width(side(width));
      Chose("input.width", input.width(), reason);
    }
    if (!input.has_height()) {
      input.set_height(side(height));
      Chose("input.height", input.height(), reason);
    }
  }

  void FillArchitecture() {
    const uint32_t side = std::min(config().input().width(), config().input().height());
    if (config().architecture_case() == v1::TrainingConfig::ARCHITECTURE_NOT_SET) {
      config().set_net(side <= 64 ? "resnet8" : "resnet18");
      Chose("architecture.net", config().net(),
            side <= 64 ? "the input's shorter side is at most 64 pixels"
                       : "the input's shorter side is above 64 pixels");
    }
    if (config().architecture_case() == v1::TrainingConfig::kNet && config().net() == "mlp") {
      config().mutable_mlp();
    }
    if (config().has_mlp() && config().mlp().hidden().empty()) {
      for (const uint32_t units : {256u, 128u}) config().mutable_mlp()->add_hidden(units);
      Chose("architecture.mlp.hidden", absl::StrJoin(config().mlp().hidden(), ", "), "the default");
    }
  }

  void FillLength() {
    if (!config().has_batch_size()) {
      const int64_t examples = data_.images[static_cast<int>(Split::kTrain)];
      const bool small = examples < kDefaultBatch;
      config().set_batch_size(small ? static_cast<uint32_t>(examples) : kDefaultBatch);
      Chose("batch_size", config().batch_size(),
            small ? "the training split has no more images" : "the default");
    }
    if (!config().has_epochs()) {
      config().set_epochs(kDefaultEpochs);
      Chose("epochs", config().epochs(), "the default");
    }
    if (!config().has_seed()) {
      config().set_seed(1);
      Chose("seed", config().seed(), "the default");
    }
  }

  void FillOptimizer() {
    if (config().optimizer_case() == v1::TrainingConfig::OPTIMIZER_NOT_SET) {
      config().mutable_sgd();
      Chose("optimizer", "sgd", "the default");
    }
    if (config().has_sgd()) {
      if (!config().sgd().has_momentum()) {
        config().mutable_sgd()->set_momentum(0.9);
        Chose("optimizer.sgd.momentum", 0.9, "the default");
      }
    } else {
      FillAdam(*config().mutable_adam());
    }
    if (!config().has_learning_rate()) FillLearningRate();
  }

  // Adam's steps do not depend on the scale of the loss; those of sgd do, and the multi-label loss
  // is a mean over labels where the single-label one is a sum.
  void FillLearningRate() {
    if (!config().has_sgd()) {
      config().set_learning_rate(0.001);
      Chose("learning_rate", config().learning_rate(), "the default for adam");
      return;
    }
    // Without batch norm a rate of 0.05 with momentum kills the ReLUs of these nets at once.
    const bool plain = config().has_mlp() || config().net() == "lenet";
    const double rate = plain ? 0.01 : 0.05;
    const std::string reason =
        plain ? "the default for sgd on a net without batch norm" : "the default for sgd";
    if (config().task() != v1::TASK_MULTI_LABEL) {
      config().set_learning_rate(rate);
      Chose("learning_rate", rate, reason);
      return;
    }
    const auto labels = static_cast<double>(std::min<size_t>(data_.labels.size(), 10));
    config().set_learning_rate(rate * labels);
    Chose("learning_rate", config().learning_rate(),
          reason + ", times the labels (at most 10), whose losses are averaged");
  }

  void FillAdam(v1::Adam& adam) {
    if (!adam.has_beta1()) {
      adam.set_beta1(0.9);
      Chose("optimizer.adam.beta1", adam.beta1(), "the default");
    }
    if (!adam.has_beta2()) {
      adam.set_beta2(0.999);
      Chose("optimizer.adam.beta2", adam.beta2(), "the default");
    }
    if (!adam.has_epsilon()) {
      adam.set_epsilon(1e-8);
      Chose("optimizer.adam.epsilon", adam.epsilon(), "the default");
    }
  }

  void FillSchedule() {
    if (config().schedule_case() == v1::TrainingConfig::SCHEDULE_NOT_SET) {
      config().mutable_cosine();
      Chose("schedule", "cosine", "the default");
    }
    if (config().has_cosine() && !config().cosine().has_final_factor()) {
      config().mutable_cosine()->set_final_factor(0);
      Chose("schedule.cosine.final_factor", 0, "the default");
    }
    if (config().has_step()) FillStepSchedule(*config().mutable_step());
    if (!config().has_warmup_epochs()) {
      config().set_warmup_epochs(std::min(1.0, config().epochs() / 10.0));
      Chose("warmup_epochs", config().warmup_epochs(), "a tenth of the epochs, at most 1");
    }
  }

  void FillStepSchedule(v1::StepSchedule& step) {
    if (!step.has_every_epochs()) {
      step.set_every_epochs(config().epochs() / 3 + (config().epochs() % 3 != 0));
      Chose("schedule.step.every_epochs", step.every_epochs(), "a third of the epochs, rounded up");
    }
    if (!step.has_gamma()) {
      step.set_gamma(0.1);
      Chose("schedule.step.gamma", step.gamma(), "the default");
    }
  }

  void FillRegularisation() {
    if (!config().has_weight_decay()) {
      config().set_weight_decay(0.0005);
      Chose("weight_decay", config().weight_decay(), "the default");
    }
    v1::Augmentation& augmentation = *config().mutable_augmentation();
    if (!augmentation.has_pad_and_crop_pixels()) {
      augmentation.set_pad_and_crop_pixels(
          std::min(config().input().width(), config().input().height()) / 8);
      Chose("augmentation.pad_and_crop_pixels", augmentation.pad_and_crop_pixels(),
            "an eighth of the shorter input side");
    }
    if (!config().has_dropout()) {
      config().set_dropout(0);
      Chose("dropout", 0, "the default");
    }
  }

  void FillThresholds() {
    if (config().task() != v1::TASK_MULTI_LABEL) return;
    v1::LabelThresholds& thresholds = *config().mutable_thresholds();
    if (thresholds.has_every_label()) return;
    thresholds.set_every_label(0.5);
    Chose("thresholding.thresholds.every_label", 0.5, "the default");
  }

  void FillExecution() {
    if (config().backend() == v1::BACKEND_UNSPECIFIED) {
      config().set_backend(v1::BACKEND_CPU);
      Chose("backend", v1::Backend_Name(config().backend()), "the default");
    }
    if (!config().has_width()) {
      config().set_width(static_cast<uint32_t>(default_width_));
      Chose("width", config().width(), "the cores left for training");
    }
  }

  const DatasetStatistics& data_;
  const int default_width_;
  CompleteConfig complete_;
};

}  // namespace

CompleteConfig FillDefaults(v1::TrainingConfig config, const DatasetStatistics& data,
                            int default_width) {
  return Completer(std::move(config), data, default_width).Run();
}

}  // namespace fovea
