// The only header that sees SQLite; for store*.cc of this folder.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/data/sqlite_status.h"
#include "core/data/store.h"

namespace fovea::internal {

// Runs `body`, which returns a Status; what SQLiteCpp or the allocator throws becomes one.
template <typename Body>
absl::Status CatchSqlite(absl::string_view doing, const std::string& path, Body body) {
  try {
    return body();
  } catch (const SQLite::Exception& e) {
    return SqliteCodeToStatus(e.getExtendedErrorCode(), e.what(), doing, path);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot ", doing, ": out of memory"));
  }
}

// As CatchSqlite, for a body that returns a StatusOr<T>.
template <typename T, typename Body>
absl::StatusOr<T> CatchSqliteOr(absl::string_view doing, const std::string& path, Body body) {
  absl::StatusOr<T> result = absl::InternalError("no result");
  const absl::Status status = CatchSqlite(doing, path, [&]() -> absl::Status {
    result = body();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return result;
}

// A connection with Fovea's settings. Throws SQLite::Exception.
std::unique_ptr<SQLite::Database> OpenConnection(const std::string& path, DatasetStore::Mode mode);

// Makes the tables of an empty data set, in one transaction. Throws SQLite::Exception.
void CreateSchema(SQLite::Database* db, const DatasetSpec& spec, int64_t now_ms);

// Makes the table of unknown labels, which files of older versions lack. Throws SQLite::Exception.
void CreateUnknownLabels(SQLite::Database* db);

// Throws SQLite::Exception; DataLoss or FailedPrecondition when the file is no data set of ours.
absl::StatusOr<DatasetSpec> ReadSpec(SQLite::Database* db, const std::string& path);

// The integer a query answers in its first column. Throws SQLite::Exception.
int64_t QueryInt(SQLite::Database* db, const char* sql);

// Fills `unknown` of the rows, which are those of a split at a revision, by id. Throws
// SQLite::Exception.
void ReadUnknownLabels(SQLite::Database* db, Split split, int64_t revision,
                       std::vector<DatasetStore::ImageRow>* rows);

absl::StatusOr<DatasetStatistics> ReadStatistics(SQLite::Database* db, const DatasetSpec& spec,
                                                 int64_t revision);

// Fills in `targets` of the statistics, whose labels are there. Throws SQLite::Exception.
void ReadTargets(SQLite::Database* db, int64_t revision, DatasetStatistics* statistics);

// Why an item is left out.
struct Rejection {
  ImportFault fault;
  std::string message;
};

// What is wrong with an image's labels. `is_known`: whether the data set has a label of this name.
std::optional<Rejection> CheckLabelTexts(const DatasetSpec& spec,
                                         const std::vector<std::string>& texts,
                                         absl::FunctionRef<bool(const std::string&)> is_known);

// What is wrong with an image's numbers, given as text, in a regression data set.
std::optional<Rejection> CheckTargets(const DatasetSpec& spec,
                                      const std::vector<std::string>& values);

// Absent when no import with this id was committed.
absl::StatusOr<std::optional<ImportSummary>> ReadImport(SQLite::Database* db,
                                                        absl::string_view request_id);

absl::StatusOr<std::unique_ptr<ImportSession>> BeginImportSession(
    const std::string& path, const DatasetSpec& spec, const DatasetStore::Options& options,
    absl::string_view request_id);

}  // namespace fovea::internal
