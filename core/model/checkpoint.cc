#include "core/model/checkpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/model/crc32c.h"
#include "core/model/text_proto.h"

namespace fovea {

namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr char kDataFile[] = "data";
constexpr char kManifestFile[] = "manifest.textproto";
constexpr char kStaging[] = ".staging";
constexpr char kPrefix[] = "step-";
constexpr absl::string_view kChecksum = "# crc32c ";
constexpr size_t kKeptByAge = 2;

std::string StepName(uint64_t step) { return absl::StrFormat("%s%012d", kPrefix, step); }

// The step of a folder that StepName could have named.
std::optional<uint64_t> StepOf(const std::string& name) {
  uint64_t step;
  if (!absl::StartsWith(name, kPrefix)) return std::nullopt;
  if (!absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &step)) return std::nullopt;
  if (StepName(step) != name) return std::nullopt;
  return step;
}

// The text of a manifest with its own checksum in a last, commented line.
std::string WithChecksum(absl::string_view text) {
  return absl::StrCat(text, kChecksum, absl::Hex(Crc32c(text), absl::kZeroPad8), "\n");
}

absl::StatusOr<v1::CheckpointManifest> ParseManifest(const std::string& text) {
  const size_t line = text.rfind(kChecksum.data());
  if (line == std::string::npos || WithChecksum(text.substr(0, line)) != text) {
    return absl::DataLossError("its checksum is missing or wrong");
  }
  v1::CheckpointManifest manifest;
  RETURN_IF_ERROR(FromTextProto(text, manifest));
  if (manifest.format_version() > kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat("format version ", manifest.format_version(),
                                                      ", this build reads up to ", kFormatVersion));
  }
  return manifest;
}

// Cuts the data file into the regions that the manifest names.
absl::StatusOr<std::vector<CheckpointRegion>> ParseRegions(const v1::CheckpointManifest& manifest,
                                                           absl::string_view data) {
  std::vector<CheckpointRegion> regions;
  for (const auto& stored : manifest.regions()) {
    if (stored.bytes() > data.size()) {
      return absl::DataLossError(absl::StrCat("region \"", stored.name(), "\" has ", stored.bytes(),
                                              " bytes, but only ", data.size(), " are left"));
    }
    const absl::string_view bytes = data.substr(0, stored.bytes());
    data.remove_prefix(stored.bytes());
    if (const uint32_t found = Crc32c(bytes); found != stored.crc32c()) {
      return absl::DataLossError(absl::StrCat("region \"", stored.name(), "\" has checksum ",
                                              absl::Hex(found), ", expected ",
                                              absl::Hex(stored.crc32c())));
    }
    regions.push_back({stored.name(), std::string(bytes)});
  }
  if (!data.empty()) {
    return absl::DataLossError(absl::StrCat(data.size(), " bytes follow the last region"));
  }
  return regions;
}

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("checkpoint ", path, ": ", status.message()));
}

v1::CheckpointManifest CompleteManifest(const Checkpoint& checkpoint) {
  v1::CheckpointManifest manifest = checkpoint.manifest;
  manifest.set_format_version(kFormatVersion);
  manifest.clear_regions();
  for (const CheckpointRegion& region : checkpoint.regions) {
    auto* stored = manifest.add_regions();
    stored->set_name(region.name);
    stored->set_bytes(region.bytes.size());
    stored->set_crc32c(Crc32c(region.bytes));
  }
  return manifest;
}

absl::Status WriteFiles(FileSystem& files, const std::string& folder,
                        const Checkpoint& checkpoint) {
  std::vector<absl::string_view> parts;
  for (const CheckpointRegion& region : checkpoint.regions) parts.push_back(region.bytes);
  RETURN_IF_ERROR(files.RemoveAll(folder));
  RETURN_IF_ERROR(files.MakeDirs(folder));
  RETURN_IF_ERROR(files.WriteAtomically(JoinPath(folder, kDataFile), parts));
  return files.WriteAtomically(JoinPath(folder, kManifestFile),
                               WithChecksum(ToTextProto(CompleteManifest(checkpoint))));
}

}  // namespace

absl::StatusOr<absl::string_view> Checkpoint::Find(absl::string_view name) const {
  for (const CheckpointRegion& region : regions) {
    if (region.name == name) return absl::string_view(region.bytes);
  }
  const auto append = [](std::string* out, const CheckpointRegion& r) { *out += r.name; };
  return absl::DataLossError(absl::StrCat("checkpoint has no region \"", name, "\", only ",
                                          absl::StrJoin(regions, ", ", append)));
}

CheckpointStore::CheckpointStore(FileSystem* files, std::string folder)
    : files_(files), folder_(std::move(folder)) {}

std::string CheckpointStore::Path(uint64_t step) const { return JoinPath(folder_, StepName(step)); }

absl::Status CheckpointStore::Write(const Checkpoint& checkpoint) {
  const std::string staged = JoinPath(folder_, kStaging);
  const std::string target = Path(checkpoint.manifest.step());
  absl::Status status = WriteFiles(*files_, staged, checkpoint);
  if (status.ok() && files_->Exists(target)) status = files_->RemoveAll(target);
  if (status.ok()) status = files_->Rename(staged, target);
  if (status.ok()) return status;
  // Best effort: the next Write or Prune tries again.
  files_->RemoveAll(staged).IgnoreError();
  return In(target, status);
}

absl::StatusOr<std::vector<uint64_t>> CheckpointStore::Steps() const {
  std::vector<uint64_t> steps;
  if (!files_->Exists(folder_)) return steps;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(folder_));
  for (const std::string& name : names) {
    if (const auto step = StepOf(name)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

absl::StatusOr<Checkpoint> CheckpointStore::Read(uint64_t step) const {
  const std::string path = Path(step);
  if (!files_->Exists(path)) return absl::NotFoundError(absl::StrCat("no checkpoint ", path));
  const auto text = files_->Read(JoinPath(path, kManifestFile));
  if (absl::IsNotFound(text.status())) {
    return In(path, absl::DataLossError("it has no manifest"));
  }
  if (!text.ok()) return text.status();
  auto manifest = ParseManifest(*text);
  if (!manifest.ok()) return In(JoinPath(path, kManifestFile), manifest.status());
  if (manifest->step() != step) {
    return In(path,
              absl::DataLossError(absl::StrCat("its manifest is of step ", manifest->step())));
  }
  const auto data = files_->Read(JoinPath(path, kDataFile));
  if (absl::IsNotFound(data.status())) return In(path, absl::DataLossError("it has no data file"));
  if (!data.ok()) return data.status();
  auto regions = ParseRegions(*manifest, *data);
  if (!regions.ok()) return In(JoinPath(path, kDataFile), regions.status());
  return Checkpoint{*std::move(manifest), *std::move(regions)};
}

absl::StatusOr<CheckpointStore::Latest> CheckpointStore::ReadLatestWhole() const {
  Latest latest;
  ASSIGN_OR_RETURN(std::vector<uint64_t> steps, Steps());
  for (; !steps.empty(); steps.pop_back()) {
    auto checkpoint = Read(steps.back());
    if (checkpoint.ok()) {
      latest.checkpoint = *std::move(checkpoint);
      return latest;
    }
    latest.notes.push_back(absl::StrCat("skipped a checkpoint: ", checkpoint.status().message()));
  }
  return latest;
}

absl::Status CheckpointStore::Prune(std::optional<uint64_t> best_step) {
  RETURN_IF_ERROR(files_->RemoveAll(JoinPath(folder_, kStaging)));
  ASSIGN_OR_RETURN(std::vector<uint64_t> steps, Steps());
  for (size_t i = 0; i + kKeptByAge < steps.size(); ++i) {
    if (steps[i] != best_step) RETURN_IF_ERROR(files_->RemoveAll(Path(steps[i])));
  }
  return absl::OkStatus();
}

absl::Status CheckpointStore::RemoveAll() { return files_->RemoveAll(folder_); }

}  // namespace fovea
