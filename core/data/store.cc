#include "core/data/store.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/file_system.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/data/store_private.h"

namespace fovea {
namespace {

using internal::CatchSqlite;
using internal::CatchSqliteOr;

// What SQLite keeps beside a database.
constexpr const char* kSidecars[] = {"-wal", "-shm", "-journal"};

absl::Status RemoveSidecars(const std::string& path) {
  for (const char* suffix : kSidecars) {
    RETURN_IF_ERROR(FileSystem::Real()->RemoveAll(path + suffix));
  }
  return absl::OkStatus();
}

class SqliteDatasetStore : public DatasetStore {
 public:
  SqliteDatasetStore(std::string path, Mode mode, Options options,
                     std::unique_ptr<SQLite::Database> db, DatasetSpec spec)
      : path_(std::move(path)),
        mode_(mode),
        options_(options),
        spec_(std::move(spec)),
        db_(std::move(db)) {}

  const DatasetSpec& spec() const override { return spec_; }
  const std::string& path() const override { return path_; }

  absl::StatusOr<int64_t> Revision() const override {
    absl::MutexLock lock(&mutex_);
    return CatchSqliteOr<int64_t>("read the revision", path_, [&] {
      mutex_.AssertHeld();
      return internal::QueryInt(db_.get(), "SELECT value FROM meta WHERE key = 'revision'");
    });
  }

  absl::StatusOr<std::vector<std::string>> Labels(int64_t revision) const override {
    absl::MutexLock lock(&mutex_);
    return CatchSqliteOr<std::vector<std::string>>("read labels", path_, [&] {
      mutex_.AssertHeld();
      SQLite::Statement query(*db_, "SELECT name FROM labels WHERE revision <= ? ORDER BY id");
      query.bind(1, revision);
      std::vector<std::string> labels;
      while (query.executeStep()) labels.push_back(query.getColumn(0).getString());
      return labels;
    });
  }

  absl::StatusOr<DatasetStatistics> Statistics(int64_t revision) const override {
    absl::MutexLock lock(&mutex_);
    return CatchSqliteOr<DatasetStatistics>("count images", path_, [&] {
      mutex_.AssertHeld();
      return internal::ReadStatistics(db_.get(), spec_, revision);
    });
  }

  absl::StatusOr<DatasetStatistics> Statistics() const override {
    ASSIGN_OR_RETURN(const int64_t revision, Revision());
    return Statistics(revision);
  }

  absl::StatusOr<std::vector<ImageRow>> ListImages(Split split, int64_t revision) const override {
    absl::MutexLock lock(&mutex_);
    return CatchSqliteOr<std::vector<ImageRow>>("list images", path_, [&] {
      mutex_.AssertHeld();
      // What a row says of its image: a label, or the value of a target.
      const bool regression = IsRegression(spec_.task);
      SQLite::Statement query(
          *db_, absl::StrCat("SELECT id, name, width, height, channels, ",
                             regression ? "value" : "label_id", " FROM images LEFT JOIN ",
                             regression ? "image_targets" : "image_labels",
                             " ON image_id = id WHERE split = ? AND revision <= ? "
                             "ORDER BY id, label_id"));
      query.bind(1, static_cast<int>(split));
      query.bind(2, revision);
      std::vector<ImageRow> rows;
      while (query.executeStep()) {
        const int64_t id = query.getColumn(0).getInt64();
        if (rows.empty() || rows.back().id != id) {
          rows.push_back({id,
                          query.getColumn(1).getString(),
                          {},
                          {query.getColumn(2).getInt(), query.getColumn(3).getInt(),
                           query.getColumn(4).getInt()},
                          {}});
        }
        const SQLite::Column said = query.getColumn(5);
        if (regression) {
          rows.back().targets.push_back(said.getDouble());
        } else if (!said.isNull()) {
          rows.back().labels.push_back(said.getInt());
        }
      }
      internal::ReadUnknownLabels(db_.get(), split, revision, &rows);
      return rows;
    });
  }

  absl::StatusOr<std::string> ReadBytes(int64_t image_id) const override {
    std::string bytes, hash;
    RETURN_IF_ERROR(ReadBlob(image_id, &bytes, &hash));
    const Sha256Digest found = Sha256(bytes);
    if (hash != std::string(found.begin(), found.end())) {
      return absl::DataLossError(absl::StrCat("image ", image_id, " in \"", path_,
                                              "\" is damaged: its bytes do not have its hash"));
    }
    return bytes;
  }

  absl::StatusOr<std::optional<ImportSummary>> FindImport(
      absl::string_view request_id) const override {
    absl::MutexLock lock(&mutex_);
    return CatchSqliteOr<std::optional<ImportSummary>>("find import", path_, [&] {
      mutex_.AssertHeld();
      return internal::ReadImport(db_.get(), request_id);
    });
  }

  absl::StatusOr<std::unique_ptr<ImportSession>> BeginImport(
      absl::string_view request_id) override {
    if (mode_ == Mode::kReadOnly) {
      return absl::FailedPreconditionError(
          absl::StrCat("data set \"", path_, "\" is opened read-only; imports need read-write"));
    }
    return internal::BeginImportSession(path_, spec_, options_, request_id);
  }

 private:
  absl::Status ReadBlob(int64_t image_id, std::string* bytes, std::string* hash) const {
    absl::MutexLock lock(&mutex_);
    return CatchSqlite("read image", path_, [&]() -> absl::Status {
      mutex_.AssertHeld();
      SQLite::Statement query(*db_,
                              "SELECT byte_hash, bytes FROM images JOIN blobs ON image_id = id "
                              "WHERE id = ?");
      query.bind(1, image_id);
      if (!query.executeStep()) {
        return absl::NotFoundError(absl::StrCat("no image ", image_id, " in \"", path_, "\""));
      }
      *hash = query.getColumn(0).getString();
      *bytes = query.getColumn(1).getString();
      return absl::OkStatus();
    });
  }

  const std::string path_;
  const Mode mode_;
  const Options options_;
  const DatasetSpec spec_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<SQLite::Database> db_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Create(const std::string& path,
                                                                   const DatasetSpec& spec,
                                                                   Options options) {
  RETURN_IF_ERROR(ValidateDatasetSpec(spec));
  FileSystem* files = FileSystem::Real();
  if (files->Exists(path)) {
    return absl::AlreadyExistsError(absl::StrCat("data set file \"", path, "\" exists"));
  }
  // A crash may have left a log of a file that is gone; it must not be taken for the new one's.
  RETURN_IF_ERROR(RemoveSidecars(path));
  const std::string staged = path + ".creating";
  RETURN_IF_ERROR(files->RemoveAll(staged));
  RETURN_IF_ERROR(RemoveSidecars(staged));
  RETURN_IF_ERROR(CatchSqlite("create data set", staged, [&]() -> absl::Status {
    SQLite::Database db(staged, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    internal::CreateSchema(&db, spec, absl::ToUnixMillis(options.clock->Now()));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(files->Rename(staged, path));
  return Open(path, Mode::kReadWrite, options);
}

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Open(const std::string& path, Mode mode,
                                                                 Options options) {
  if (!FileSystem::Real()->Exists(path)) {
    return absl::NotFoundError(absl::StrCat("no data set file \"", path, "\""));
  }
  return CatchSqliteOr<std::unique_ptr<DatasetStore>>(
      "open data set", path, [&]() -> absl::StatusOr<std::unique_ptr<DatasetStore>> {
        std::unique_ptr<SQLite::Database> db = internal::OpenConnection(path, mode);
        ASSIGN_OR_RETURN(DatasetSpec spec, internal::ReadSpec(db.get(), path));
        return std::make_unique<SqliteDatasetStore>(path, mode, options, std::move(db),
                                                    std::move(spec));
      });
}

absl::StatusOr<ImportSummary> DatasetStore::Import(
    absl::string_view request_id, const std::function<absl::Status(ImportSink*)>& fill) {
  if (!request_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<ImportSummary> first, FindImport(request_id));
    if (first) return *std::move(first);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ImportSession> session, BeginImport(request_id));
  RETURN_IF_ERROR(fill(session.get()));
  return session->Commit();
}

absl::StatusOr<ImportSummary> DatasetStore::Import(absl::string_view request_id,
                                                   absl::Span<const ImportItem> items) {
  return Import(request_id, [items](ImportSink* sink) -> absl::Status {
    for (const ImportItem& item : items) RETURN_IF_ERROR(sink->Add(item));
    return absl::OkStatus();
  });
}

absl::Status RemoveDatasetFile(const std::string& path) {
  FileSystem* files = FileSystem::Real();
  if (!files->Exists(path)) {
    return absl::NotFoundError(absl::StrCat("no data set file \"", path, "\""));
  }
  // First it disappears as a whole; a crash after that leaves only rubbish.
  const std::string removed = path + ".removed";
  RETURN_IF_ERROR(files->RemoveAll(removed));
  RETURN_IF_ERROR(files->Rename(path, removed));
  RETURN_IF_ERROR(RemoveSidecars(path));
  return files->RemoveAll(removed);
}

}  // namespace fovea
