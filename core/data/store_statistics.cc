// What a data set says about itself, counted by SQLite.
#include <algorithm>

#include "core/base/status.h"
#include "core/data/store_private.h"

namespace fovea::internal {
namespace {

// Rows (value, images) in ascending order of the value.
SizeStatistics ReadSizes(SQLite::Database* db, const char* column, int64_t revision,
                         int64_t total) {
  SQLite::Statement query(*db, absl::StrCat("SELECT ", column, ", COUNT(*) FROM images ",
                                            "WHERE revision <= ? GROUP BY 1 ORDER BY 1"));
  query.bind(1, revision);
  SizeStatistics sizes;
  int64_t seen = 0;
  while (query.executeStep()) {
    const int value = query.getColumn(0).getInt();
    const int64_t before = seen;
    seen += query.getColumn(1).getInt64();
    if (before == 0) sizes.min = value;
    const int64_t middle = (total - 1) / 2;
    if (before <= middle && middle < seen) sizes.median = value;
    sizes.max = value;
  }
  return sizes;
}

void ReadLabelCounts(SQLite::Database* db, int64_t revision, DatasetStatistics* statistics) {
  SQLite::Statement names(*db, "SELECT name FROM labels WHERE revision <= ? ORDER BY id");
  names.bind(1, revision);
  while (names.executeStep()) {
    statistics->labels.push_back({names.getColumn(0).getString(), {}});
  }
  SQLite::Statement counts(
      *db,
      "SELECT label_id, split, COUNT(*) FROM image_labels JOIN images ON images.id = image_id "
      "WHERE revision <= ? GROUP BY 1, 2");
  counts.bind(1, revision);
  while (counts.executeStep()) {
    LabelCounts& label = statistics->labels.at(static_cast<size_t>(counts.getColumn(0).getInt()));
    label.images.at(static_cast<size_t>(counts.getColumn(1).getInt())) =
        counts.getColumn(2).getInt64();
  }
}

std::optional<double> ImbalanceRatio(const std::vector<LabelCounts>& labels) {
  if (labels.size() < 2) return std::nullopt;
  const auto [rarest, commonest] = std::minmax_element(
      labels.begin(), labels.end(),
      [](const LabelCounts& a, const LabelCounts& b) { return a.total() < b.total(); });
  if (rarest->total() == 0) return std::nullopt;
  return static_cast<double>(commonest->total()) / static_cast<double>(rarest->total());
}

}  // namespace

absl::StatusOr<DatasetStatistics> ReadStatistics(SQLite::Database* db, const DatasetSpec& spec,
                                                 int64_t revision) {
  DatasetStatistics statistics;
  statistics.name = spec.name;
  statistics.revision = revision;
  statistics.task = spec.task;

  SQLite::Statement splits(*db,
                           "SELECT split, COUNT(*), SUM(byte_count) FROM images "
                           "WHERE revision <= ? GROUP BY 1");
  splits.bind(1, revision);
  while (splits.executeStep()) {
    statistics.images.at(static_cast<size_t>(splits.getColumn(0).getInt())) =
        splits.getColumn(1).getInt64();
    statistics.bytes += splits.getColumn(2).getInt64();
  }
  SQLite::Statement unmarked(*db,
                             "SELECT COUNT(*) FROM images WHERE revision <= ? AND NOT EXISTS "
                             "(SELECT 1 FROM image_labels WHERE image_id = images.id)");
  unmarked.bind(1, revision);
  if (!IsRegression(spec.task) && unmarked.executeStep()) {
    statistics.unmarked = unmarked.getColumn(0).getInt64();
  }

  SQLite::Statement channels(
      *db, "SELECT channels, COUNT(*) FROM images WHERE revision <= ? GROUP BY 1");
  channels.bind(1, revision);
  while (channels.executeStep()) {
    statistics.images_by_channels[channels.getColumn(0).getInt()] =
        channels.getColumn(1).getInt64();
  }
  ReadLabelCounts(db, revision, &statistics);
  if (IsRegression(spec.task)) ReadTargets(db, revision, &statistics);
  statistics.width = ReadSizes(db, "width", revision, statistics.total());
  statistics.height = ReadSizes(db, "height", revision, statistics.total());
  statistics.imbalance_ratio = ImbalanceRatio(statistics.labels);

  const int64_t created_ms = QueryInt(db, "SELECT value FROM meta WHERE key = 'created_ms'");
  SQLite::Statement updated(
      *db, "SELECT MAX(time_ms) FROM imports WHERE revision <= ? AND imported > 0");
  updated.bind(1, revision);
  statistics.created = absl::FromUnixMillis(created_ms);
  statistics.updated = statistics.created;
  if (updated.executeStep() && !updated.getColumn(0).isNull()) {
    statistics.updated = absl::FromUnixMillis(updated.getColumn(0).getInt64());
  }
  return statistics;
}

}  // namespace fovea::internal
