// Checkpoints: what a training run needs to go on with the same losses. Not a model.
//
// A store is one folder with a folder per checkpoint, named by its step:
//   step-000000001200/data                 the regions, one after the other
//   step-000000001200/manifest.textproto   the CheckpointManifest and, in its last line, its CRC
// A checkpoint is staged under a hidden name, its manifest last, and published by rename, so that
// a crash or a full disk at any moment leaves the earlier ones as they were. Every region has a
// CRC-32C, and so has the manifest: what reads back is what was written.
//
// One writer at a time (the trainer that holds the job's lock).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "fovea/v1/manifest.pb.h"

namespace fovea {

struct CheckpointRegion {
  std::string name;   // "parameters", "states", "slots", …
  std::string bytes;  // Weights::ReadRegion
};

struct Checkpoint {
  v1::CheckpointManifest manifest;  // Write fills in format_version and regions
  std::vector<CheckpointRegion> regions;

  // The bytes of a region. DataLoss, naming those that are there, when there is none of that name.
  absl::StatusOr<absl::string_view> Find(absl::string_view name) const;
};

class CheckpointStore {
 public:
  // `files` outlives the store. The folder is made by the first Write.
  CheckpointStore(FileSystem* files, std::string folder);

  // Durable on return. A checkpoint of the same step is replaced. On an error the earlier ones are
  // as they were, and what was staged is removed as far as the disk allows.
  absl::Status Write(const Checkpoint& checkpoint);

  // Steps of the checkpoints there, ascending; empty when the folder does not exist.
  absl::StatusOr<std::vector<uint64_t>> Steps() const;

  // NotFound; DataLoss when sizes or checksums disagree; FailedPrecondition when a newer Fovea
  // wrote it.
  absl::StatusOr<Checkpoint> Read(uint64_t step) const;

  struct Latest {
    std::optional<Checkpoint> checkpoint;  // none: start from the beginning
    std::vector<std::string> notes;        // one sentence for each damaged one that was skipped
  };
  // The checkpoint of the highest step that reads whole.
  absl::StatusOr<Latest> ReadLatestWhole() const;

  // Removes all but the last two and `best_step`, and what crashes left behind.
  absl::Status Prune(std::optional<uint64_t> best_step);

  // Removes the store: a finished job keeps no checkpoint.
  absl::Status RemoveAll();

 private:
  std::string Path(uint64_t step) const;

  FileSystem* files_;
  std::string folder_;
};

}  // namespace fovea
