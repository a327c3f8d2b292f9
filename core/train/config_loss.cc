// What a configuration minimises: the loss, label smoothing, and the way to answer for many labels.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

using Config = v1::TrainingConfig;

const char* NameOf(Config::LossCase loss) {
  switch (loss) {
    case Config::kCrossEntropy:
      return "cross_entropy";
    case Config::kFocal:
      return "focal";
    case Config::kAsymmetric:
      return "asymmetric";
    case Config::kSoftHamming:
      return "soft_hamming";
    case Config::kSquaredError:
      return "squared_error";
    case Config::kAbsoluteError:
      return "absolute_error";
    case Config::kHuber:
      return "huber";
    case Config::LOSS_NOT_SET:
      break;
  }
  return "none";
}

// Of a task, the default first.
std::vector<Config::LossCase> LossesOf(v1::Task task) {
  switch (task) {
    case v1::TASK_MULTI_LABEL:
    case v1::TASK_BINARY:
      return {Config::kCrossEntropy, Config::kFocal,        Config::kAsymmetric,
              Config::kSoftHamming,  Config::kSquaredError, Config::kAbsoluteError,
              Config::kHuber};
    case v1::TASK_REGRESSION:
      return {Config::kSquaredError, Config::kAbsoluteError, Config::kHuber};
    case v1::TASK_UNIT_REGRESSION:
      return {Config::kCrossEntropy, Config::kSquaredError, Config::kAbsoluteError, Config::kHuber};
    default:
      return {Config::kCrossEntropy, Config::kFocal};
  }
}

const char* ReasonOf(v1::Task task) {
  switch (task) {
    case v1::TASK_MULTI_LABEL:
      return "multi-label: sigmoid + binary cross-entropy per label";
    case v1::TASK_BINARY:
      return "binary: sigmoid + binary cross-entropy";
    case v1::TASK_REGRESSION:
      return "regression: no last activation + squared error";
    case v1::TASK_UNIT_REGRESSION:
      return "regression in [0, 1]: sigmoid + binary cross-entropy";
    default:
      return "single-label: softmax + cross-entropy";
  }
}

bool IsDeviation(Config::LossCase loss) {
  return loss == Config::kSquaredError || loss == Config::kAbsoluteError || loss == Config::kHuber;
}

void FillFocal(ConfigFill& fill) {
  v1::FocalLoss& focal = *fill.config().mutable_focal();
  if (!focal.has_gamma()) {
    focal.set_gamma(2);
    fill.Chose("loss.focal.gamma", 2, "the default: the best in its paper");
  }
  if (fill.has_thresholds() && !focal.has_alpha()) {
    focal.set_alpha(0.25);
    fill.Chose("loss.focal.alpha", 0.25, "the default: the best in its paper with gamma 2");
  }
}

void FillAsymmetric(ConfigFill& fill) {
  v1::AsymmetricLoss& loss = *fill.config().mutable_asymmetric();
  if (!loss.has_gamma_plus()) {
    loss.set_gamma_plus(0);
    fill.Chose("loss.asymmetric.gamma_plus", 0, "the default of its paper");
  }
  if (!loss.has_gamma_minus()) {
    loss.set_gamma_minus(4);
    fill.Chose("loss.asymmetric.gamma_minus", 4, "the default of its paper");
  }
  if (!loss.has_margin()) {
    loss.set_margin(0.05);
    fill.Chose("loss.asymmetric.margin", 0.05, "the default of its paper");
  }
}

void FillWay(ConfigFill& fill) {
  if (!fill.is_multi_label()) return;
  if (fill.config().multi_label_way() != v1::MULTI_LABEL_WAY_UNSPECIFIED) return;
  fill.config().set_multi_label_way(v1::MULTI_LABEL_WAY_JOINT);
  fill.Chose("multi_label_way", v1::MultiLabelWay_Name(v1::MULTI_LABEL_WAY_JOINT),
             "multi-label: one sigmoid per label");
}

void CheckTask(ConfigCheck& check) {
  const std::vector<Config::LossCase> known = LossesOf(check.config().task());
  const Config::LossCase found = check.config().loss_case();
  if (std::find(known.begin(), known.end(), found) != known.end()) return;
  const auto append = [](std::string* out, Config::LossCase loss) { *out += NameOf(loss); };
  check.Wrong("loss", NameOf(found),
              absl::StrCat("one of ", absl::StrJoin(known, ", ", append), " for the task ",
                           v1::Task_Name(check.config().task())));
}

// In [0, bound), also as the float that the kernels compute with.
bool IsBelow(double found, float bound) { return found >= 0 && static_cast<float>(found) < bound; }

void CheckExponent(ConfigCheck& check, absl::string_view field, double found) {
  check.Range(field, found, found >= 0 && found <= 100, "a number in [0, 100]");
}

void CheckLabelSmoothing(ConfigCheck& check) {
  const double smoothing = check.config().label_smoothing();
  check.Range("label_smoothing", smoothing, IsBelow(smoothing, 1), "a number in [0, 1)");
  if (smoothing != 0 && check.is_regression()) {
    check.Wrong("label_smoothing", smoothing, "0 for a regression");
  } else if (smoothing != 0 && IsDeviation(check.config().loss_case())) {
    check.Wrong("label_smoothing", smoothing,
                absl::StrCat("0 with the loss ", NameOf(check.config().loss_case())));
  }
}

void CheckParameters(ConfigCheck& check) {
  const Config& config = check.config();
  const double clip = config.cross_entropy().clip_epsilon();
  check.Range("loss.cross_entropy.clip_epsilon", clip, IsBelow(clip, 0.5f), "a number in [0, 0.5)");
  CheckExponent(check, "loss.focal.gamma", config.focal().gamma());
  check.Share("loss.focal.alpha", config.focal().alpha());
  if (config.focal().has_alpha() && !check.has_thresholds()) {
    check.Wrong("loss.focal.alpha", config.focal().alpha(),
                "none: class weights take its place in a single-label task");
  }
  CheckExponent(check, "loss.asymmetric.gamma_plus", config.asymmetric().gamma_plus());
  CheckExponent(check, "loss.asymmetric.gamma_minus", config.asymmetric().gamma_minus());
  const double margin = config.asymmetric().margin();
  check.Range("loss.asymmetric.margin", margin, IsBelow(margin, 1), "a number in [0, 1)");
  if (config.has_huber()) check.Positive("loss.huber.delta", config.huber().delta());
}

}  // namespace

void FillLoss(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.loss_case() == Config::LOSS_NOT_SET) {
    const bool squared = config.task() == v1::TASK_REGRESSION;
    if (squared) {
      config.mutable_squared_error();
    } else {
      config.mutable_cross_entropy();
    }
    fill.Chose("loss", NameOf(config.loss_case()), ReasonOf(config.task()));
  }
  if (config.has_focal()) FillFocal(fill);
  if (config.has_asymmetric()) FillAsymmetric(fill);
  if (config.has_huber() && !config.huber().has_delta()) {
    config.mutable_huber()->set_delta(1);
    fill.Chose("loss.huber.delta", 1, "the default");
  }
  FillWay(fill);
}

void CheckLoss(ConfigCheck& check) {
  CheckTask(check);
  CheckParameters(check);
  CheckLabelSmoothing(check);
  const v1::MultiLabelWay way = check.config().multi_label_way();
  if (!v1::MultiLabelWay_IsValid(way)) {
    check.Wrong("multi_label_way", absl::StrCat(way), "a value of MultiLabelWay");
  } else if (way != v1::MULTI_LABEL_WAY_UNSPECIFIED && !check.is_multi_label()) {
    check.Wrong("multi_label_way", v1::MultiLabelWay_Name(way), "none outside multi-label");
  }
}

}  // namespace fovea
