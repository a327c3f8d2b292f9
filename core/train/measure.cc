#include "core/train/measure.h"

namespace fovea {
namespace {

using Value = std::optional<double>;

constexpr NamedMeasure kLogLoss = {"log_loss", false,
                                   [](const v1::Measures& m) -> Value { return m.log_loss(); }};

constexpr NamedMeasure kSingleLabel[] = {
    {"accuracy", true, [](const v1::Measures& m) -> Value { return m.single_label().accuracy(); }},
    {"balanced_accuracy", true,
     [](const v1::Measures& m) -> Value { return m.single_label().balanced_accuracy(); }},
    {"macro_f1", true,
     [](const v1::Measures& m) -> Value { return m.single_label().macro().f1(); }},
    {"weighted_f1", true,
     [](const v1::Measures& m) -> Value { return m.single_label().weighted().f1(); }},
    {"macro_roc_auc", true,
     [](const v1::Measures& m) -> Value {
       if (!m.single_label().has_macro_roc_auc()) return std::nullopt;
       return m.single_label().macro_roc_auc();
     }},
    kLogLoss,
};

constexpr NamedMeasure kMultiLabel[] = {
    {"hamming_loss", false,
     [](const v1::Measures& m) -> Value { return m.multi_label().hamming_loss(); }},
    {"subset_accuracy", true,
     [](const v1::Measures& m) -> Value { return m.multi_label().subset_accuracy(); }},
    {"micro_f1", true, [](const v1::Measures& m) -> Value { return m.multi_label().micro().f1(); }},
    {"macro_f1", true, [](const v1::Measures& m) -> Value { return m.multi_label().macro().f1(); }},
    {"weighted_f1", true,
     [](const v1::Measures& m) -> Value { return m.multi_label().weighted().f1(); }},
    {"example_f1", true,
     [](const v1::Measures& m) -> Value { return m.multi_label().example().f1(); }},
    {"jaccard", true, [](const v1::Measures& m) -> Value { return m.multi_label().jaccard(); }},
    {"mean_average_precision", true,
     [](const v1::Measures& m) -> Value {
       if (!m.multi_label().has_mean_average_precision()) return std::nullopt;
       return m.multi_label().mean_average_precision();
     }},
    {"macro_roc_auc", true,
     [](const v1::Measures& m) -> Value {
       if (!m.multi_label().has_macro_roc_auc()) return std::nullopt;
       return m.multi_label().macro_roc_auc();
     }},
    kLogLoss,
};

constexpr NamedMeasure kBinary[] = {
    {"roc_auc", true,
     [](const v1::Measures& m) -> Value {
       if (!m.binary().has_roc_auc()) return std::nullopt;
       return m.binary().roc_auc();
     }},
    {"average_precision", true,
     [](const v1::Measures& m) -> Value {
       if (!m.binary().has_average_precision()) return std::nullopt;
       return m.binary().average_precision();
     }},
    {"accuracy", true, [](const v1::Measures& m) -> Value { return m.binary().accuracy(); }},
    {"balanced_accuracy", true,
     [](const v1::Measures& m) -> Value { return m.binary().balanced_accuracy(); }},
    {"f1", true, [](const v1::Measures& m) -> Value { return m.binary().f1(); }},
    {"brier_score", false, [](const v1::Measures& m) -> Value { return m.binary().brier_score(); }},
    kLogLoss,
};

constexpr NamedMeasure kRegression[] = {
    {"mse", false, [](const v1::Measures& m) -> Value { return m.regression().mse(); }},
    {"mae", false, [](const v1::Measures& m) -> Value { return m.regression().mae(); }},
    {"r2", true,
     [](const v1::Measures& m) -> Value {
       if (!m.regression().has_r2()) return std::nullopt;
       return m.regression().r2();
     }},
    {"max_error", false, [](const v1::Measures& m) -> Value { return m.regression().max_error(); }},
};

}  // namespace

absl::Span<const NamedMeasure> MeasuresOf(v1::Task task) {
  switch (task) {
    case v1::TASK_MULTI_LABEL:
      return kMultiLabel;
    case v1::TASK_BINARY:
      return kBinary;
    case v1::TASK_REGRESSION:
    case v1::TASK_UNIT_REGRESSION:
      return kRegression;
    default:
      return kSingleLabel;
  }
}

const NamedMeasure* FindMeasure(v1::Task task, absl::string_view name) {
  for (const NamedMeasure& measure : MeasuresOf(task)) {
    if (measure.name == name) return &measure;
  }
  return nullptr;
}

const NamedMeasure& BestMeasureOf(const v1::TrainingConfig& config) {
  const NamedMeasure* const named = FindMeasure(config.task(), config.best_measure());
  return named != nullptr ? *named : MeasuresOf(config.task()).front();
}

bool IsBetter(const NamedMeasure& measure, const v1::Measures& a, const v1::Measures& b) {
  const Value value_a = measure.get(a), value_b = measure.get(b);
  if (value_a.has_value() != value_b.has_value()) return value_a.has_value();
  if (value_a != value_b) return (*value_a > *value_b) == measure.higher_is_better;
  return a.log_loss() < b.log_loss();
}

}  // namespace fovea
