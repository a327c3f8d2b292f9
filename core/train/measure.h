// The measures by which one epoch can be called better than another, by the names that
// config.best_measure takes.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fovea/v1/report.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

struct NamedMeasure {
  absl::string_view name;  // "accuracy"
  bool higher_is_better = true;
  // Absent where it is not defined (an average precision without examples).
  std::optional<double> (*get)(const v1::Measures&) = nullptr;
};

// Those of a task. The first is its main measure.
absl::Span<const NamedMeasure> MeasuresOf(v1::Task task);

// nullptr when the task has none of this name.
const NamedMeasure* FindMeasure(v1::Task task, absl::string_view name);

// config.best_measure; the task's main measure where that is empty.
const NamedMeasure& BestMeasureOf(const v1::TrainingConfig& config);

// True when `a` is better than `b`; equal ones are told apart by log loss. A measure that is not
// defined is worse than any that is. False when they are equal.
bool IsBetter(const NamedMeasure& measure, const v1::Measures& a, const v1::Measures& b);

}  // namespace fovea
