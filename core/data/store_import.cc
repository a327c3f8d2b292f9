// One import: bad items are written down, good ones inserted, and all of it is one transaction.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "core/base/check.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/data/split.h"
#include "core/data/store_private.h"

namespace fovea::internal {
namespace {

std::string Digest(absl::string_view bytes) {
  const Sha256Digest digest = Sha256(bytes);
  return std::string(digest.begin(), digest.end());
}

// Pixels alone would make pictures of 2 x 8 and 4 x 4 equal.
std::string PixelHash(const Image& image) {
  const absl::string_view pixels(reinterpret_cast<const char*>(image.pixels.data()),
                                 image.pixels.size());
  return Digest(absl::StrCat(image.shape().ToString(), ":", Digest(pixels)));
}

void BindBlob(SQLite::Statement* statement, int index, absl::string_view bytes) {
  statement->bindNoCopy(index, static_cast<const void*>(bytes.data()),
                        static_cast<int>(bytes.size()));
}

class SqliteImportSession : public ImportSession {
 public:
  SqliteImportSession(std::string path, DatasetSpec spec, DatasetStore::Options options,
                      std::string request_id, std::unique_ptr<SQLite::Database> db)
      : path_(std::move(path)),
        spec_(std::move(spec)),
        options_(options),
        request_id_(std::move(request_id)),
        db_(std::move(db)) {}

  // The transaction ends with the connection, which rolls it back unless it was committed.
  ~SqliteImportSession() override = default;

  absl::Status Begin();
  absl::Status Add(const ImportItem& item) override;
  absl::Status Reject(const std::string& name, ImportFault fault,
                      const std::string& message) override;
  absl::StatusOr<ImportSummary> Commit() override;

 private:
  // Runs `body` unless an earlier step failed; remembers its failure.
  template <typename Body>
  absl::Status Step(absl::string_view doing, Body body) {
    if (!failure_.ok()) return failure_;
    failure_ = CatchSqlite(doing, path_, body);
    return failure_;
  }

  void Record(const std::string& name, Rejection rejection);
  std::optional<Rejection> CheckLabels(const ImportItem& item) const;
  // Decodes into `image`; an error is the store's, not the item's.
  absl::StatusOr<std::optional<Rejection>> CheckImage(const ImportItem& item, Image* image) const;
  std::optional<Rejection> FindDuplicate(const std::string& pixel_hash);
  void Insert(const ImportItem& item, const Image& image, const std::string& pixel_hash);
  void InsertLabels(int64_t image_id, const std::vector<std::string>& names);
  void InsertTargets(int64_t image_id, const std::vector<std::string>& values);
  int32_t LabelIndex(const std::string& name);
  void AssignOpenSplits();
  void WriteSummary();

  const std::string path_;
  const DatasetSpec spec_;
  const DatasetStore::Options options_;
  const std::string request_id_;
  std::unique_ptr<SQLite::Database> db_;
  std::optional<SQLite::Statement> find_, insert_image_, insert_blob_, insert_label_,
      insert_target_, insert_unknown_;
  absl::flat_hash_map<std::string, int32_t> label_indices_;
  int64_t new_revision_ = 0;
  ImportSummary summary_;
  bool committed_ = false;
  absl::Status failure_;
};

absl::Status SqliteImportSession::Begin() {
  return Step("begin import", [&]() -> absl::Status {
    if (options_.max_file_bytes > 0) {
      const int64_t page_bytes = QueryInt(db_.get(), "PRAGMA page_size");
      db_->exec(absl::StrCat("PRAGMA max_page_count = ",
                             std::max<int64_t>(1, options_.max_file_bytes / page_bytes)));
    }
    // Two imports of one data set would have to wait for each other: tell the second at once.
    db_->setBusyTimeout(0);
    db_->exec("BEGIN IMMEDIATE");
    if (!request_id_.empty()) {
      ASSIGN_OR_RETURN(const std::optional<ImportSummary> first,
                       ReadImport(db_.get(), request_id_));
      if (first) {
        return absl::AlreadyExistsError(absl::StrCat(
            "import \"", request_id_, "\" was committed at revision ", first->revision));
      }
    }
    summary_.revision = QueryInt(db_.get(), "SELECT value FROM meta WHERE key = 'revision'");
    new_revision_ = summary_.revision + 1;
    SQLite::Statement labels(*db_, "SELECT id, name FROM labels");
    while (labels.executeStep()) {
      label_indices_[labels.getColumn(1).getString()] = labels.getColumn(0).getInt();
    }
    find_.emplace(*db_, "SELECT id, name, revision FROM images WHERE pixel_hash = ?");
    insert_image_.emplace(*db_,
                          "INSERT INTO images (pixel_hash, byte_hash, byte_count, name, width, "
                          "height, channels, split, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert_blob_.emplace(*db_, "INSERT INTO blobs (image_id, bytes) VALUES (?, ?)");
    insert_label_.emplace(*db_, "INSERT INTO image_labels (image_id, label_id) VALUES (?, ?)");
    if (IsRegression(spec_.task)) {
      insert_target_.emplace(
          *db_, "INSERT INTO image_targets (image_id, label_id, value) VALUES (?, ?, ?)");
    }
    CreateUnknownLabels(db_.get());
    insert_unknown_.emplace(*db_, "INSERT INTO unknown_labels (image_id, label_id) VALUES (?, ?)");
    return absl::OkStatus();
  });
}

absl::Status SqliteImportSession::Add(const ImportItem& item) {
  return Step("import image", [&]() -> absl::Status {
    std::optional<Rejection> rejection = CheckLabels(item);
    Image image;
    if (!rejection) {
      ASSIGN_OR_RETURN(rejection, CheckImage(item, &image));
    }
    std::string pixel_hash;
    if (!rejection) {
      pixel_hash = PixelHash(image);
      rejection = FindDuplicate(pixel_hash);
    }
    if (rejection) {
      Record(item.name, *std::move(rejection));
    } else {
      Insert(item, image, pixel_hash);
      ++summary_.received;
      ++summary_.imported;
    }
    return absl::OkStatus();
  });
}

absl::Status SqliteImportSession::Reject(const std::string& name, ImportFault fault,
                                         const std::string& message) {
  if (failure_.ok()) Record(name, {fault, message});
  return failure_;
}

void SqliteImportSession::Record(const std::string& name, Rejection rejection) {
  if (summary_.errors.size() < kMaxImportErrors) {
    summary_.errors.push_back({summary_.received, name.substr(0, kMaxItemNameBytes),
                               rejection.fault, std::move(rejection.message)});
  }
  ++summary_.received;
  ++summary_.rejected;
}

std::optional<Rejection> SqliteImportSession::CheckLabels(const ImportItem& item) const {
  if (!item.labels) {
    return Rejection{ImportFault::kUnlabelled, "image has no label set, expected one"};
  }
  if (IsRegression(spec_.task)) return CheckTargets(spec_, *item.labels);
  if (HasOneLabel(spec_.task) && item.labels->size() != 1) {
    return Rejection{
        ImportFault::kLabelCount,
        absl::StrCat("image has ", item.labels->size(), " labels, expected exactly 1 in a ",
                     spec_.task == Task::kBinary ? "binary" : "single-label", " data set")};
  }
  return CheckLabelTexts(spec_, *item.labels, [this](const std::string& label) {
    return label_indices_.contains(label);
  });
}

absl::StatusOr<std::optional<Rejection>> SqliteImportSession::CheckImage(const ImportItem& item,
                                                                         Image* image) const {
  const auto reject = [](ImportFault fault, const absl::Status& status) {
    return Rejection{fault, std::string(status.message())};
  };
  absl::StatusOr<Image> decoded = DecodeImage(item.bytes, options_.limits);
  if (decoded.ok()) {
    *image = *std::move(decoded);
    return std::nullopt;
  }
  const absl::Status& status = decoded.status();
  switch (status.code()) {
    case absl::StatusCode::kOutOfRange:
      return reject(ImportFault::kOversized, status);
    case absl::StatusCode::kUnimplemented:
      return reject(ImportFault::kUnsupported, status);
    case absl::StatusCode::kInvalidArgument: {
      const bool unknown = !item.bytes.empty() && !DetectImageFormat(item.bytes);
      return reject(unknown ? ImportFault::kUnsupported : ImportFault::kCorrupt, status);
    }
    default:
      return status;
  }
}

std::optional<Rejection> SqliteImportSession::FindDuplicate(const std::string& pixel_hash) {
  find_->reset();
  BindBlob(&*find_, 1, pixel_hash);
  if (!find_->executeStep()) return std::nullopt;
  const bool is_new = find_->getColumn(2).getInt64() == new_revision_;
  return Rejection{ImportFault::kDuplicate,
                   absl::StrCat("image has the same pixels as \"", find_->getColumn(1).getString(),
                                is_new ? "\" of this import" : "\" in the data set")};
}

void SqliteImportSession::Insert(const ImportItem& item, const Image& image,
                                 const std::string& pixel_hash) {
  const std::string byte_hash = Digest(item.bytes);
  insert_image_->reset();
  BindBlob(&*insert_image_, 1, pixel_hash);
  BindBlob(&*insert_image_, 2, byte_hash);
  insert_image_->bind(3, static_cast<int64_t>(item.bytes.size()));
  insert_image_->bind(4, item.name.substr(0, kMaxItemNameBytes));
  insert_image_->bind(5, image.width);
  insert_image_->bind(6, image.height);
  insert_image_->bind(7, image.channels);
  if (item.split) {
    insert_image_->bind(8, static_cast<int>(*item.split));
  } else {
    insert_image_->bind(8);
  }
  insert_image_->bind(9, new_revision_);
  insert_image_->exec();
  const int64_t id = db_->getLastInsertRowid();

  insert_blob_->reset();
  insert_blob_->bind(1, id);
  BindBlob(&*insert_blob_, 2, item.bytes);
  insert_blob_->exec();

  if (IsRegression(spec_.task)) {
    InsertTargets(id, *item.labels);
  } else {
    InsertLabels(id, *item.labels);
  }
}

void SqliteImportSession::InsertTargets(int64_t image_id, const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    double value = 0;
    CHECK(absl::SimpleAtod(values[i], &value));  // by CheckTargets
    insert_target_->reset();
    insert_target_->bind(1, image_id);
    insert_target_->bind(2, static_cast<int64_t>(i));
    insert_target_->bind(3, value);
    insert_target_->exec();
  }
}

void SqliteImportSession::InsertLabels(int64_t image_id, const std::vector<std::string>& texts) {
  std::map<int32_t, bool> marks;
  for (const std::string& text : texts) {
    const LabelMark mark = ParseLabelMark(spec_.task, text);
    marks[LabelIndex(std::string(mark.name))] = mark.known;
  }
  for (const auto& [label, known] : marks) {
    SQLite::Statement& insert = known ? *insert_label_ : *insert_unknown_;
    insert.reset();
    insert.bind(1, image_id);
    insert.bind(2, label);
    insert.exec();
  }
}

int32_t SqliteImportSession::LabelIndex(const std::string& name) {
  const auto [known, is_new] =
      label_indices_.try_emplace(name, static_cast<int32_t>(label_indices_.size()));
  if (is_new) {
    SQLite::Statement insert(*db_, "INSERT INTO labels (id, name, revision) VALUES (?, ?, ?)");
    insert.bind(1, known->second);
    insert.bind(2, name);
    insert.bind(3, new_revision_);
    insert.exec();
  }
  return known->second;
}

void SqliteImportSession::AssignOpenSplits() {
  std::vector<int64_t> ids;
  std::vector<UnsplitImage> images;
  SQLite::Statement open(*db_,
                         "SELECT id, byte_hash, label_id FROM images LEFT JOIN image_labels "
                         "ON image_id = id WHERE split IS NULL ORDER BY id, label_id");
  while (open.executeStep()) {
    const int64_t id = open.getColumn(0).getInt64();
    if (ids.empty() || ids.back() != id) {
      ids.push_back(id);
      images.push_back({{}, open.getColumn(1).getString()});
    }
    if (!open.getColumn(2).isNull()) images.back().labels.push_back(open.getColumn(2).getInt());
  }
  if (ids.empty()) return;

  SplitCounts counts = {};
  SQLite::Statement all(*db_,
                        "SELECT split, COUNT(*) FROM images WHERE split IS NOT NULL GROUP BY 1");
  while (all.executeStep()) {
    counts.at(static_cast<size_t>(all.getColumn(0).getInt())) = all.getColumn(1).getInt64();
  }
  std::vector<SplitCounts> label_counts(label_indices_.size(), SplitCounts{});
  SQLite::Statement by_label(
      *db_,
      "SELECT label_id, split, COUNT(*) FROM image_labels JOIN images ON images.id = image_id "
      "WHERE split IS NOT NULL GROUP BY 1, 2");
  while (by_label.executeStep()) {
    label_counts.at(static_cast<size_t>(by_label.getColumn(0).getInt()))
        .at(static_cast<size_t>(by_label.getColumn(1).getInt())) = by_label.getColumn(2).getInt64();
  }
  const std::vector<Split> splits = AssignSplits(spec_.split_plan, images, label_counts, counts);
  SQLite::Statement update(*db_, "UPDATE images SET split = ? WHERE id = ?");
  for (size_t i = 0; i < ids.size(); ++i) {
    update.reset();
    update.bind(1, static_cast<int>(splits[i]));
    update.bind(2, ids[i]);
    update.exec();
  }
}

void SqliteImportSession::WriteSummary() {
  SQLite::Statement insert(*db_,
                           "INSERT INTO imports (request_id, revision, received, imported, "
                           "rejected, time_ms) VALUES (?, ?, ?, ?, ?, ?)");
  if (!request_id_.empty()) insert.bind(1, request_id_);
  insert.bind(2, summary_.revision);
  insert.bind(3, summary_.received);
  insert.bind(4, summary_.imported);
  insert.bind(5, summary_.rejected);
  insert.bind(6, absl::ToUnixMillis(options_.clock->Now()));
  insert.exec();
  const int64_t import_id = db_->getLastInsertRowid();
  SQLite::Statement error(*db_, "INSERT INTO import_errors VALUES (?, ?, ?, ?, ?)");
  for (const ImportError& e : summary_.errors) {
    error.reset();
    error.bind(1, import_id);
    error.bind(2, e.index);
    error.bind(3, e.name);
    error.bind(4, static_cast<int>(e.fault));
    error.bind(5, e.message);
    error.exec();
  }
}

absl::StatusOr<ImportSummary> SqliteImportSession::Commit() {
  if (committed_) return absl::FailedPreconditionError("import is committed already");
  RETURN_IF_ERROR(Step("commit import", [&]() -> absl::Status {
    if (summary_.imported > 0) {
      AssignOpenSplits();
      summary_.revision = new_revision_;
      SQLite::Statement update(*db_, "UPDATE meta SET value = ? WHERE key = 'revision'");
      update.bind(1, new_revision_);
      update.exec();
    }
    WriteSummary();
    db_->exec("COMMIT");
    committed_ = true;
    return absl::OkStatus();
  }));
  return summary_;
}

}  // namespace

absl::StatusOr<std::optional<ImportSummary>> ReadImport(SQLite::Database* db,
                                                        absl::string_view request_id) {
  SQLite::Statement query(
      *db, "SELECT id, revision, received, imported, rejected FROM imports WHERE request_id = ?");
  query.bind(1, std::string(request_id));
  if (!query.executeStep()) return std::nullopt;
  ImportSummary summary;
  summary.revision = query.getColumn(1).getInt64();
  summary.received = query.getColumn(2).getInt64();
  summary.imported = query.getColumn(3).getInt64();
  summary.rejected = query.getColumn(4).getInt64();
  SQLite::Statement errors(
      *db,
      "SELECT position, name, fault, message FROM import_errors WHERE import_id = ? ORDER BY 1");
  errors.bind(1, query.getColumn(0).getInt64());
  while (errors.executeStep()) {
    summary.errors.push_back({errors.getColumn(0).getInt64(), errors.getColumn(1).getString(),
                              static_cast<ImportFault>(errors.getColumn(2).getInt()),
                              errors.getColumn(3).getString()});
  }
  return summary;
}

absl::StatusOr<std::unique_ptr<ImportSession>> BeginImportSession(
    const std::string& path, const DatasetSpec& spec, const DatasetStore::Options& options,
    absl::string_view request_id) {
  if (request_id.size() > kMaxRequestIdBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("request_id has ", request_id.size(), " bytes, at most ", kMaxRequestIdBytes));
  }
  return CatchSqliteOr<std::unique_ptr<ImportSession>>(
      "begin import", path, [&]() -> absl::StatusOr<std::unique_ptr<ImportSession>> {
        auto session = std::make_unique<SqliteImportSession>(
            path, spec, options, std::string(request_id),
            OpenConnection(path, DatasetStore::Mode::kReadWrite));
        RETURN_IF_ERROR(session->Begin());
        return session;
      });
}

}  // namespace fovea::internal
