// The labels of which an import said that they are unknown.
#include "core/data/store_private.h"

namespace fovea::internal {

void CreateUnknownLabels(SQLite::Database* db) {
  db->exec(R"sql(
CREATE TABLE IF NOT EXISTS unknown_labels (
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels (id),
  PRIMARY KEY (image_id, label_id)) WITHOUT ROWID;
)sql");
}

void ReadUnknownLabels(SQLite::Database* db, Split split, int64_t revision,
                       std::vector<DatasetStore::ImageRow>* rows) {
  if (!db->tableExists("unknown_labels")) return;
  SQLite::Statement query(
      *db,
      "SELECT image_id, label_id FROM unknown_labels JOIN images "
      "ON images.id = image_id WHERE split = ? AND revision <= ? ORDER BY 1, 2");
  query.bind(1, static_cast<int>(split));
  query.bind(2, revision);
  auto row = rows->begin();
  while (query.executeStep()) {
    const int64_t id = query.getColumn(0).getInt64();
    while (row != rows->end() && row->id < id) ++row;
    if (row == rows->end()) return;
    row->unknown.push_back(query.getColumn(1).getInt());
  }
}

}  // namespace fovea::internal
