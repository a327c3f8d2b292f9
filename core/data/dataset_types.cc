#include "core/data/dataset_types.h"

#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/names.h"
#include "core/base/status.h"

namespace fovea {
namespace {

absl::Status ValidateLabels(Task task, const std::vector<std::string>& labels) {
  std::set<std::string> seen;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string& label = labels[i];
    if (label.empty()) return absl::InvalidArgumentError(absl::StrCat("label ", i, " is empty"));
    if (label.size() > kMaxLabelBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", i, " has ", label.size(), " bytes, at most ", kMaxLabelBytes));
    }
    if (!ParseLabelMark(task, label).known) {
      return absl::InvalidArgumentError(absl::StrCat(
          "label ", i, " \"", label, "\" begins with \"?\", which says that a label is unknown"));
    }
    if (!seen.insert(label).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", i, " \"", label, "\" is there twice, expected unique labels"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateLabelCount(Task task, size_t labels) {
  if (task == Task::kBinary && labels != 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found ", labels, " labels, expected 2 in a binary data set: negative, positive"));
  }
  if (IsRegression(task) && labels == 0) {
    return absl::InvalidArgumentError(
        "found no labels, expected the names of the targets in a regression data set");
  }
  return absl::OkStatus();
}

absl::Status ValidateSplitPlan(const SplitPlan& plan) {
  const std::array<double, kSplitCount> fractions = {plan.train_fraction, plan.validation_fraction,
                                                     plan.test_fraction};
  double sum = 0;
  for (int s = 0; s < kSplitCount; ++s) {
    const double fraction = fractions[static_cast<size_t>(s)];
    if (!(fraction >= 0 && fraction <= 1)) {
      return absl::InvalidArgumentError(absl::StrCat(SplitName(static_cast<Split>(s)),
                                                     " fraction is ", fraction,
                                                     ", expected a number in [0, 1]"));
    }
    sum += fraction;
  }
  if (std::abs(sum - 1) > 1e-6) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split fractions ", absl::StrJoin(fractions, " + "), " make ", sum, ", expected 1"));
  }
  return absl::OkStatus();
}

}  // namespace

const char* TaskName(Task task) {
  switch (task) {
    case Task::kSingleLabel:
      return "single_label";
    case Task::kMultiLabel:
      return "multi_label";
    case Task::kBinary:
      return "binary";
    case Task::kRegression:
      return "regression";
    case Task::kUnitRegression:
      return "unit_regression";
  }
  return "unknown";
}

const char* SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "unknown";
}

LabelMark ParseLabelMark(Task task, absl::string_view text) {
  const bool known = task != Task::kMultiLabel || !absl::ConsumePrefix(&text, "?");
  return {text, known};
}

const char* ImportFaultName(ImportFault fault) {
  switch (fault) {
    case ImportFault::kCorrupt:
      return "corrupt";
    case ImportFault::kDuplicate:
      return "duplicate";
    case ImportFault::kUnlabelled:
      return "unlabelled";
    case ImportFault::kOversized:
      return "oversized";
    case ImportFault::kUnsupported:
      return "unsupported";
    case ImportFault::kBadLabel:
      return "bad_label";
    case ImportFault::kLabelCount:
      return "label_count";
    case ImportFault::kNotFound:
      return "not_found";
    case ImportFault::kOutsideDataRoot:
      return "outside_data_root";
    case ImportFault::kBadNumber:
      return "bad_number";
  }
  return "unknown";
}

absl::Status ValidateDatasetSpec(const DatasetSpec& spec) {
  RETURN_IF_ERROR(ValidateName("data set", spec.name));
  RETURN_IF_ERROR(ValidateSplitPlan(spec.split_plan));
  RETURN_IF_ERROR(ValidateLabelCount(spec.task, spec.labels.size()));
  return ValidateLabels(spec.task, spec.labels);
}

absl::Status ValidateForTraining(const DatasetStatistics& statistics,
                                 absl::Span<const Split> required) {
  const auto fault = [&](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(
        "data set \"", statistics.name, "\" at revision ", statistics.revision, " ", what));
  };
  if (statistics.total() == 0) return fault("has no images");
  for (Split split : required) {
    if (statistics.images[static_cast<size_t>(split)] > 0) continue;
    return fault(absl::StrCat("has no images in split \"", SplitName(split), "\"; found train ",
                              statistics.images[0], ", validation ", statistics.images[1],
                              ", test ", statistics.images[2]));
  }
  if (IsRegression(statistics.task)) return absl::OkStatus();
  std::vector<std::string> trained;
  for (const LabelCounts& label : statistics.labels) {
    if (label.images[static_cast<size_t>(Split::kTrain)] > 0) trained.push_back(label.label);
  }
  const size_t needed = HasOneLabel(statistics.task) ? 2 : 1;
  if (trained.size() < needed) {
    return fault(absl::StrCat("has training images of ", trained.size(), " of its ",
                              statistics.labels.size(), " labels",
                              trained.empty() ? "" : absl::StrCat(" (\"", trained[0], "\")"), "; ",
                              TaskName(statistics.task), " training needs at least ", needed));
  }
  return absl::OkStatus();
}

}  // namespace fovea
