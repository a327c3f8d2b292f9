// The labels that an import gives as text, and those of which it said that they are unknown.
#include "absl/container/flat_hash_map.h"
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

std::optional<Rejection> CheckLabelTexts(const DatasetSpec& spec,
                                         const std::vector<std::string>& texts,
                                         absl::FunctionRef<bool(const std::string&)> is_known) {
  absl::flat_hash_map<std::string, bool> marks;
  for (const std::string& text : texts) {
    const LabelMark mark = ParseLabelMark(spec.task, text);
    const std::string label(mark.name);
    if (marks.try_emplace(label, mark.known).first->second != mark.known) {
      return Rejection{ImportFault::kBadLabel,
                       absl::StrCat("label \"", label, "\" is given and unknown at once")};
    }
    if (label.empty() || label.size() > kMaxLabelBytes) {
      return Rejection{
          ImportFault::kBadLabel,
          absl::StrCat("a label has ", label.size(), " bytes, expected 1 to ", kMaxLabelBytes)};
    }
    if (!spec.labels.empty() && !is_known(label)) {
      return Rejection{ImportFault::kBadLabel,
                       absl::StrCat("label \"", label, "\" is not one of the data set's ",
                                    spec.labels.size(), " fixed labels")};
    }
  }
  return std::nullopt;
}

}  // namespace fovea::internal
