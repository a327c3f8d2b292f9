// The tables of a data set's file, its settings, and how the spec is kept in them.
#include "absl/strings/numbers.h"
#include "core/base/status.h"
#include "core/data/store_private.h"

namespace fovea::internal {
namespace {

// 2 has image_targets; other data sets stay readable for what reads only 1.
constexpr int kFormatVersion = 2;
constexpr int FormatVersionOf(Task task) {
  return task == Task::kSingleLabel || task == Task::kMultiLabel ? 1 : 2;
}
constexpr int kBusyTimeoutMs = 5000;

// `split` is null only inside an import's transaction. Blobs have a table of their own, so that
// counting images does not read them. Label ids are label indices.
constexpr char kSchema[] = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE labels (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL);
CREATE TABLE images (
  id INTEGER PRIMARY KEY,
  pixel_hash BLOB NOT NULL UNIQUE,
  byte_hash BLOB NOT NULL,
  byte_count INTEGER NOT NULL,
  name TEXT NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, channels INTEGER NOT NULL,
  split INTEGER,
  revision INTEGER NOT NULL);
CREATE INDEX images_by_split ON images (split, revision);
CREATE TABLE blobs (
  image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE, bytes BLOB NOT NULL);
CREATE TABLE image_labels (
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels (id),
  PRIMARY KEY (image_id, label_id)) WITHOUT ROWID;
CREATE TABLE image_targets (
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels (id),
  value REAL NOT NULL,
  PRIMARY KEY (image_id, label_id)) WITHOUT ROWID;
CREATE TABLE imports (
  id INTEGER PRIMARY KEY, request_id TEXT UNIQUE, revision INTEGER NOT NULL,
  received INTEGER NOT NULL, imported INTEGER NOT NULL, rejected INTEGER NOT NULL,
  time_ms INTEGER NOT NULL);
CREATE TABLE import_errors (
  import_id INTEGER NOT NULL REFERENCES imports (id), position INTEGER NOT NULL,
  name TEXT NOT NULL, fault INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (import_id, position)) WITHOUT ROWID;
)sql";

template <typename T>
void WriteMeta(SQLite::Database* db, const char* key, const T& value) {
  SQLite::Statement insert(*db, "INSERT INTO meta (key, value) VALUES (?, ?)");
  insert.bind(1, key);
  insert.bind(2, value);
  insert.exec();
}

}  // namespace

std::unique_ptr<SQLite::Database> OpenConnection(const std::string& path, DatasetStore::Mode mode) {
  const bool writes = mode == DatasetStore::Mode::kReadWrite;
  auto db = std::make_unique<SQLite::Database>(
      path, writes ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY, kBusyTimeoutMs);
  db->exec("PRAGMA foreign_keys = ON");
  db->exec("PRAGMA synchronous = FULL");
  // A large import grows the log; do not keep the space for ever.
  if (writes) db->exec("PRAGMA journal_size_limit = 67108864");
  return db;
}

void CreateSchema(SQLite::Database* db, const DatasetSpec& spec, int64_t now_ms) {
  SQLite::Transaction transaction(*db);
  db->exec(kSchema);
  CreateUnknownLabels(db);
  WriteMeta(db, "format_version", FormatVersionOf(spec.task));
  WriteMeta(db, "name", spec.name);
  WriteMeta(db, "task", static_cast<int>(spec.task));
  WriteMeta(db, "labels_fixed", spec.labels.empty() ? 0 : 1);
  WriteMeta(db, "seed", static_cast<int64_t>(spec.split_plan.seed));
  WriteMeta(db, "train_fraction", spec.split_plan.train_fraction);
  WriteMeta(db, "validation_fraction", spec.split_plan.validation_fraction);
  WriteMeta(db, "test_fraction", spec.split_plan.test_fraction);
  WriteMeta(db, "revision", 0);
  WriteMeta(db, "created_ms", now_ms);
  SQLite::Statement insert(*db, "INSERT INTO labels (id, name, revision) VALUES (?, ?, 0)");
  for (size_t i = 0; i < spec.labels.size(); ++i) {
    insert.bind(1, static_cast<int64_t>(i));
    insert.bind(2, spec.labels[i]);
    insert.exec();
    insert.reset();
  }
  transaction.commit();
}

int64_t QueryInt(SQLite::Database* db, const char* sql) { return db->execAndGet(sql).getInt64(); }

absl::StatusOr<DatasetSpec> ReadSpec(SQLite::Database* db, const std::string& path) {
  if (!db->tableExists("meta") || !db->tableExists("images")) {
    return absl::DataLossError(
        absl::StrCat("\"", path, "\" is a database without the tables of a data set"));
  }
  const auto meta = [&](const char* key) {
    return db->execAndGet(absl::StrCat("SELECT value FROM meta WHERE key = '", key, "'"));
  };
  const int version = meta("format_version").getInt();
  if (version < 1 || version > kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat("data set \"", path, "\" has format version ",
                                                      version, ", expected 1 to ", kFormatVersion));
  }
  DatasetSpec spec;
  spec.name = meta("name").getString();
  spec.task = static_cast<Task>(meta("task").getInt());
  spec.split_plan.seed = static_cast<uint64_t>(meta("seed").getInt64());
  spec.split_plan.train_fraction = meta("train_fraction").getDouble();
  spec.split_plan.validation_fraction = meta("validation_fraction").getDouble();
  spec.split_plan.test_fraction = meta("test_fraction").getDouble();
  if (meta("labels_fixed").getInt() != 0) {
    SQLite::Statement labels(*db, "SELECT name FROM labels ORDER BY id");
    while (labels.executeStep()) spec.labels.push_back(labels.getColumn(0).getString());
  }
  return spec;
}

}  // namespace fovea::internal
