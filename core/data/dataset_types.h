// The nouns of a stored data set: what it is, what comes in, and what it says about itself.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace fovea {

// Stored as numbers: new ones at the end.
enum class Task {
  kSingleLabel,
  kMultiLabel,
  kBinary,          // one of two labels, the second one positive
  kRegression,      // finite numbers; the labels are the names of the targets
  kUnitRegression,  // as kRegression, in [0, 1]
};
enum class Split { kTrain = 0, kValidation = 1, kTest = 2 };
inline constexpr int kSplitCount = 3;

const char* TaskName(Task task);     // "single_label", "multi_label", …
const char* SplitName(Split split);  // "train", "validation", "test"

inline bool IsRegression(Task task) {
  return task == Task::kRegression || task == Task::kUnitRegression;
}
// Whether each image has exactly one label.
inline bool HasOneLabel(Task task) { return task == Task::kSingleLabel || task == Task::kBinary; }

// How images that name no split are divided.
struct SplitPlan {
  uint64_t seed = 1;
  double train_fraction = 0.8;  // in [0, 1]; the three make 1
  double validation_fraction = 0.1;
  double test_fraction = 0.1;
  bool operator==(const SplitPlan&) const = default;
};

// Fixed at creation.
struct DatasetSpec {
  std::string name;
  Task task = Task::kSingleLabel;
  // In the order of their indices. Empty: labels join as imports bring them, in order of first
  // appearance. Given: imports may use no other. kBinary: two. Regression: at least one.
  std::vector<std::string> labels;
  SplitPlan split_plan;
};

// InvalidArgument unless the name is an id, the fractions make 1, and the labels are unique, not
// empty, at most kMaxLabelBytes long, as many as the task wants, and in a multi-label data set do
// not begin with "?".
absl::Status ValidateDatasetSpec(const DatasetSpec& spec);

inline constexpr size_t kMaxLabelBytes = 256;
inline constexpr size_t kMaxRequestIdBytes = 128;
inline constexpr size_t kMaxItemNameBytes = 1024;
inline constexpr size_t kMaxImportErrors = 1000;  // kept in a summary

// One picture on its way in.
struct ImportItem {
  std::string name;   // what errors call it; longer than kMaxItemNameBytes is cut
  std::string bytes;  // encoded: JPEG, PNG, WebP or BMP
  // Absent: not labelled. Present and empty: none of the labels applies (multi-label). See
  // ParseLabelMark. Regression: a number for each target, as text.
  std::optional<std::vector<std::string>> labels;
  std::optional<Split> split;  // absent: the split plan decides
};

// One label of an image as an import gives it: "sea" says that the label applies, and in a
// multi-label data set "?sea" that this is unknown. Labels that are not given do not apply.
struct LabelMark {
  absl::string_view name;
  bool known = true;
};
LabelMark ParseLabelMark(Task task, absl::string_view text);

// Why an item was left out.
enum class ImportFault {
  kCorrupt,          // empty, truncated or undecodable bytes
  kDuplicate,        // the same pixels are in the data set or came earlier in this import
  kUnlabelled,       // no label set
  kOversized,        // more bytes or pixels than the limits; found before decoding
  kUnsupported,      // not one of the formats, or a kind of it that is not read
  kBadLabel,         // empty, too long, outside the fixed labels, or applying and unknown at once
  kLabelCount,       // not exactly one label, or not one number for each target
  kNotFound,         // a file that is absent or cannot be read
  kOutsideDataRoot,  // a path or link leads out of the data root
  kBadNumber,        // a target that is not a finite number, or not in [0, 1] where it must be
};

const char* ImportFaultName(ImportFault fault);  // "corrupt", …

struct ImportError {
  int64_t index = 0;  // position among the items of the import, from 0
  std::string name;
  ImportFault fault = ImportFault::kCorrupt;
  std::string message;
  bool operator==(const ImportError&) const = default;
};

struct ImportSummary {
  int64_t revision = 0;  // after the import; unchanged when nothing was added
  int64_t received = 0;  // imported + rejected
  int64_t imported = 0;
  int64_t rejected = 0;
  std::vector<ImportError> errors;  // the first kMaxImportErrors, by index
  bool operator==(const ImportSummary&) const = default;
};

// A number per split, indexed by Split.
using SplitCounts = std::array<int64_t, kSplitCount>;

struct LabelCounts {
  std::string label;
  SplitCounts images = {};
  int64_t total() const { return images[0] + images[1] + images[2]; }
};

struct SizeStatistics {
  int min = 0;
  int median = 0;  // the lower one
  int max = 0;
};

// A regression target over all images.
struct TargetStatistics {
  std::string name;
  double mean = 0;
  double min = 0;
  double max = 0;
  double stddev = 0;  // of the population
};

struct DatasetStatistics {
  std::string name;  // of the data set
  int64_t revision = 0;
  Task task = Task::kSingleLabel;
  std::vector<LabelCounts> labels;  // in the order of label indices; regression: without counts
  std::vector<TargetStatistics> targets;  // regression, in the order of the targets
  SplitCounts images = {};                // all images, whatever their labels
  int64_t unmarked = 0;                   // images none of the labels applies to (multi-label)
  int64_t bytes = 0;                      // of the encoded pictures
  SizeStatistics width;                   // zeros when empty
  SizeStatistics height;
  std::map<int, int64_t> images_by_channels;
  // Images of the most frequent label over those of the rarest. Absent with fewer than two labels
  // or when a label has no image.
  std::optional<double> imbalance_ratio;
  absl::Time created;
  absl::Time updated;  // time of the last revision

  int64_t total() const { return images[0] + images[1] + images[2]; }
};

// Whether a model can be trained on this: FailedPrecondition, naming what was found, when there are
// no images, too few labels (two for single-label and binary, one for multi-label; labels without a
// training image do not count), or when one of the `required` splits is empty.
absl::Status ValidateForTraining(const DatasetStatistics& statistics,
                                 absl::Span<const Split> required);

}  // namespace fovea
