#include "server/services/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {

// The end of the region in its segment, where that is an offset of a file.
bool HasEnd(const RegionSpec& spec) {
  constexpr uint64_t kLargest = std::numeric_limits<off_t>::max();
  return spec.byte_size <= kLargest && spec.offset <= kLargest - spec.byte_size;
}

bool IsKey(absl::string_view key) {
  return key.size() >= 2 && key.size() <= NAME_MAX && key[0] == '/' &&
         !absl::StrContains(key.substr(1), '/') && !absl::StrContains(key, '\0');
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> SharedMemoryRegion::Open(
    RegionSpec spec) {
  const int file = shm_open(spec.key.c_str(), O_RDWR, 0);
  if (file < 0 && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat("found no shared memory \"", spec.key,
                                            "\" on the server's host, expected what the client "
                                            "made there"));
  }
  if (file < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open shared memory \"", spec.key, "\""));
  }
  const std::shared_ptr<const SharedMemoryRegion> region(
      new SharedMemoryRegion(std::move(spec), file));
  ASSIGN_OR_RETURN(const uint64_t size, region->Size());
  if (size < region->spec().offset + region->spec().byte_size) {
    return AtField(absl::InvalidArgumentError(region->TooSmall(size).message()), "byte_size");
  }
  return region;
}

SharedMemoryRegion::~SharedMemoryRegion() { close(file_); }

absl::StatusOr<uint64_t> SharedMemoryRegion::Size() const {
  struct stat about = {};
  if (fstat(file_, &about) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at \"", spec_.key, "\""));
  }
  if (!S_ISREG(about.st_mode)) {
    return InvalidField(
        "key", absl::StrCat("found \"", spec_.key, "\", which is no file, expected shared memory"));
  }
  return static_cast<uint64_t>(about.st_size);
}

absl::Status SharedMemoryRegion::TooSmall(uint64_t size) const {
  return absl::FailedPreconditionError(
      absl::StrCat("shared memory \"", spec_.key, "\": found ", size, " bytes, expected at least ",
                   spec_.offset + spec_.byte_size, " for region \"", spec_.name, "\""));
}

absl::Status SharedMemoryRegion::Read(uint64_t offset, absl::Span<char> to) const {
  off_t from = static_cast<off_t>(spec_.offset + offset);
  while (!to.empty()) {
    const ssize_t read = pread(file_, to.data(), to.size(), from);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read region \"", spec_.name, "\""));
    }
    if (read == 0) {
      ASSIGN_OR_RETURN(const uint64_t size, Size());
      return TooSmall(size);
    }
    to.remove_prefix(static_cast<size_t>(read));
    from += read;
  }
  return absl::OkStatus();
}

absl::Status SharedMemoryRegion::Write(uint64_t offset, absl::string_view from) const {
  // Beyond the end pwrite would make the segment larger again.
  ASSIGN_OR_RETURN(const uint64_t size, Size());
  if (size < spec_.offset + spec_.byte_size) return TooSmall(size);
  off_t to = static_cast<off_t>(spec_.offset + offset);
  while (!from.empty()) {
    const ssize_t written = pwrite(file_, from.data(), from.size(), to);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write region \"", spec_.name, "\""));
    }
    from.remove_prefix(static_cast<size_t>(written));
    to += written;
  }
  return absl::OkStatus();
}

absl::Status SharedMemoryRegions::Check(const RegionSpec& spec) const {
  if (!enabled()) {
    return absl::FailedPreconditionError(
        "shared memory is off, expected a server that was started with --shared-memory-prefix");
  }
  if (spec.name.empty()) return InvalidField("name", "found none, expected the region's name");
  if (!IsKey(spec.key)) {
    return InvalidField("key", absl::StrCat("found \"", spec.key, "\", expected a slash and 1 to ",
                                            NAME_MAX - 1, " other characters"));
  }
  if (!absl::StartsWith(spec.key, prefix_)) {
    return InvalidField(
        "key", absl::StrCat("found \"", spec.key, "\", expected one that begins with \"", prefix_,
                            "\" (--shared-memory-prefix)"));
  }
  if (spec.byte_size == 0) return InvalidField("byte_size", "found 0, expected at least 1");
  if (!HasEnd(spec)) {
    return InvalidField("byte_size",
                        absl::StrCat("found ", spec.byte_size, " at offset ", spec.offset,
                                     ", expected a region that a segment can hold"));
  }
  return absl::OkStatus();
}

absl::Status SharedMemoryRegions::CheckNew(const RegionSpec& spec) const {
  const auto found = regions_.find(spec.name);
  if (found == regions_.end()) {
    if (regions_.size() < kMaxRegions) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("found ", regions_.size(),
                     " registered regions, expected at most that many with this one"));
  }
  const RegionSpec& there = found->second->spec();
  if (there == spec) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("region \"", spec.name, "\" is registered with ", there.byte_size, " bytes at ",
                   there.offset, " of \"", there.key, "\", expected the same or another name"));
}

absl::Status SharedMemoryRegions::Register(RegionSpec spec) {
  RETURN_IF_ERROR(Check(spec));
  {
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(CheckNew(spec));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const SharedMemoryRegion> region,
                   SharedMemoryRegion::Open(std::move(spec)));
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckNew(region->spec()));  // another call may have come first
  const std::string name = region->spec().name;
  regions_[name] = std::move(region);
  return absl::OkStatus();
}

void SharedMemoryRegions::Unregister(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  if (name.empty()) {
    regions_.clear();
  } else {
    regions_.erase(name);
  }
}

std::shared_ptr<const SharedMemoryRegion> SharedMemoryRegions::Find(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto found = regions_.find(name);
  return found == regions_.end() ? nullptr : found->second;
}

std::vector<RegionSpec> SharedMemoryRegions::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<RegionSpec> specs;
  specs.reserve(regions_.size());
  for (const auto& [name, region] : regions_) specs.push_back(region->spec());
  return specs;
}

}  // namespace fovea
