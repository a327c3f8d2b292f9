// The numbers of a regression data set: how they come in, and their statistics.
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "core/data/store_private.h"

namespace fovea::internal {

std::optional<Rejection> CheckTargets(const DatasetSpec& spec,
                                      const std::vector<std::string>& values) {
  if (values.size() != spec.labels.size()) {
    return Rejection{
        ImportFault::kLabelCount,
        absl::StrCat("image has ", values.size(), " numbers, expected ", spec.labels.size(),
                     ", one for each target: ", absl::StrJoin(spec.labels, ", "))};
  }
  for (size_t i = 0; i < values.size(); ++i) {
    double value = 0;
    const bool number = absl::SimpleAtod(values[i], &value) && std::isfinite(value) &&
                        std::abs(value) <= std::numeric_limits<float>::max();
    const bool unit = spec.task == Task::kUnitRegression;
    if (number && (!unit || (value >= 0 && value <= 1))) continue;
    return Rejection{
        ImportFault::kBadNumber,
        absl::StrCat("target \"", spec.labels[i], "\" is \"", values[i].substr(0, kMaxLabelBytes),
                     "\", expected a ", unit ? "number in [0, 1]" : "finite number")};
  }
  return std::nullopt;
}

void ReadTargets(SQLite::Database* db, int64_t revision, DatasetStatistics* statistics) {
  for (const LabelCounts& label : statistics->labels) {
    statistics->targets.push_back({.name = label.label});
  }
  SQLite::Statement means(*db,
                          "SELECT label_id, AVG(value), MIN(value), MAX(value) FROM image_targets "
                          "JOIN images ON images.id = image_id WHERE revision <= ? GROUP BY 1");
  means.bind(1, revision);
  while (means.executeStep()) {
    TargetStatistics& target =
        statistics->targets.at(static_cast<size_t>(means.getColumn(0).getInt()));
    target.mean = means.getColumn(1).getDouble();
    target.min = means.getColumn(2).getDouble();
    target.max = means.getColumn(3).getDouble();
  }
  // In a second pass: sums of squares would cancel.
  SQLite::Statement variance(
      *db,
      "SELECT AVG((value - ?1) * (value - ?1)) FROM image_targets JOIN "
      "images ON images.id = image_id WHERE label_id = ?2 AND revision <= ?3");
  for (size_t i = 0; i < statistics->targets.size(); ++i) {
    variance.reset();
    variance.bind(1, statistics->targets[i].mean);
    variance.bind(2, static_cast<int64_t>(i));
    variance.bind(3, revision);
    if (!variance.executeStep() || variance.getColumn(0).isNull()) continue;
    statistics->targets[i].stddev = std::sqrt(variance.getColumn(0).getDouble());
  }
}

}  // namespace fovea::internal
