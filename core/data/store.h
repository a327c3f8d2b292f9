// DatasetStore: one data set in one SQLite file: its labels, its pictures as they were encoded,
// and the history of imports.
//
// An image never changes and never leaves; a revision is the set of images with
// revision <= r, so that a job which pins a revision always sees the same data. Label indices are
// stable for the same reason. Images are unique by the SHA-256 of their decoded pixels.
// Durable on return (WAL, synchronous=FULL). Thread-safe: one connection behind a mutex; imports
// have their own connection, so readers see nothing of an import before its commit.
//
// Errors of all functions: DataLoss when the file is damaged or is no data set, ResourceExhausted
// when the disk or the quota is full, Unavailable while another process holds the file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/data/dataset_types.h"
#include "core/data/decode.h"
#include "core/data/import_sink.h"

namespace fovea {

// One import: a transaction that stays open between Begin and Commit. Destroyed without a
// successful Commit, it leaves nothing behind. One thread at a time.
//
// Images without a split get one at Commit by iterative stratification (Sechidis, Tsoumakas,
// Vlahavas 2011) towards the plan's fractions of each label, in the order of
// (seed, SHA-256 of the encoded bytes): the result does not depend on the order of items or on
// the machine. Images of earlier imports keep their split and count towards the fractions.
class ImportSession : public ImportSink {
 public:
  // Fails, and then only destruction is left, when the store fails; never for a bad item.
  absl::Status Add(const ImportItem& item) override = 0;
  absl::Status Reject(const std::string& name, ImportFault fault,
                      const std::string& message) override = 0;
  // Makes the images visible under a new revision (the same one when none was added) and remembers
  // the summary under the request id.
  virtual absl::StatusOr<ImportSummary> Commit() = 0;
};

class DatasetStore {
 public:
  struct Options {
    DecodeLimits limits;
    int64_t max_file_bytes = 0;  // quota of the file; 0: none. ResourceExhausted beyond it
    const Clock* clock = Clock::Real();
  };
  enum class Mode { kReadOnly, kReadWrite };

  // An image's row without its bytes.
  struct ImageRow {
    int64_t id = 0;
    std::string name;
    std::vector<int32_t> labels;  // indices, ascending, of those that apply; none for regression
    PixelShape shape;
    std::vector<int32_t> unknown = {};  // ascending, of those that are unknown
    std::vector<double> targets = {};   // regression: one a target
  };

  // Makes an empty data set; the file appears whole or not at all. InvalidArgument for a bad spec,
  // AlreadyExists when `path` is taken.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Create(const std::string& path,
                                                              const DatasetSpec& spec,
                                                              Options options);
  // NotFound when there is no file.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(const std::string& path, Mode mode,
                                                            Options options);
  virtual ~DatasetStore() = default;

  virtual const DatasetSpec& spec() const = 0;
  virtual const std::string& path() const = 0;

  // Grows by one with each import that adds images; 0 when empty.
  virtual absl::StatusOr<int64_t> Revision() const = 0;
  // The labels at a revision, by index.
  virtual absl::StatusOr<std::vector<std::string>> Labels(int64_t revision) const = 0;
  virtual absl::StatusOr<DatasetStatistics> Statistics(int64_t revision) const = 0;
  // Statistics of the newest revision.
  virtual absl::StatusOr<DatasetStatistics> Statistics() const = 0;
  // The images of a split at a revision, by id: a fixed order.
  virtual absl::StatusOr<std::vector<ImageRow>> ListImages(Split split, int64_t revision) const = 0;
  // The encoded bytes, checked against their hash. NotFound, DataLoss.
  virtual absl::StatusOr<std::string> ReadBytes(int64_t image_id) const = 0;

  // The summary of an import that was committed under this id; absent when there is none.
  virtual absl::StatusOr<std::optional<ImportSummary>> FindImport(
      absl::string_view request_id) const = 0;
  // Starts an import. request_id "" means a retry is a new import. AlreadyExists when FindImport
  // knows the id; Unavailable while another import of this data set runs; FailedPrecondition when
  // opened read-only. The session may outlive the store.
  virtual absl::StatusOr<std::unique_ptr<ImportSession>> BeginImport(
      absl::string_view request_id) = 0;

  // One import at once, from items in memory; a retry answers the first summary.
  absl::StatusOr<ImportSummary> Import(absl::string_view request_id,
                                       absl::Span<const ImportItem> items);
  // One import whose items `fill` puts into the sink; an error of `fill` rolls everything back. A
  // retry answers the first summary without calling `fill`.
  absl::StatusOr<ImportSummary> Import(absl::string_view request_id,
                                       const std::function<absl::Status(ImportSink*)>& fill);
};

// Removes the file of a data set that nobody has open, with what SQLite keeps beside it.
absl::Status RemoveDatasetFile(const std::string& path);

}  // namespace fovea
