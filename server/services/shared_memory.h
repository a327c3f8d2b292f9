// Regions of POSIX shared memory that clients register, for tensors that do not travel in messages.
//
// Whoever owns a segment may rewrite or truncate it at any moment. A mapping would then change
// under a decoder, or end the server by SIGBUS; so segments are never mapped: bytes are copied by
// pread and pwrite, which at worst fail. Private to server/services.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace fovea {

// Bytes offset to offset + byte_size of the segment `key`, as shm_open calls it.
struct RegionSpec {
  std::string name;
  std::string key;
  uint64_t offset = 0;
  uint64_t byte_size = 0;

  bool operator==(const RegionSpec&) const = default;
};

// An open region; the segment stays while anybody holds one. Thread-safe.
class SharedMemoryRegion {
 public:
  // InvalidArgument when the segment is too small or none; NotFound; what the system says.
  static absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> Open(RegionSpec spec);
  ~SharedMemoryRegion();
  SharedMemoryRegion(const SharedMemoryRegion&) = delete;
  SharedMemoryRegion& operator=(const SharedMemoryRegion&) = delete;

  const RegionSpec& spec() const { return spec_; }
  // Copies bytes that lie in the region, from `offset` of it on. FailedPrecondition: the segment
  // has become too small.
  absl::Status Read(uint64_t offset, absl::Span<char> to) const;
  absl::Status Write(uint64_t offset, absl::string_view from) const;

 private:
  SharedMemoryRegion(RegionSpec spec, int file) : spec_(std::move(spec)), file_(file) {}
  // The segment's, now.
  absl::StatusOr<uint64_t> Size() const;
  absl::Status TooSmall(uint64_t size) const;

  const RegionSpec spec_;
  const int file_;
};

// The registered regions by name. Thread-safe.
class SharedMemoryRegions {
 public:
  // Only segments whose keys begin with `prefix` can be registered; "": none.
  explicit SharedMemoryRegions(std::string prefix) : prefix_(std::move(prefix)) {}

  bool enabled() const { return !prefix_.empty(); }

  // Opens the region; one that is there under the same name, key, offset and size is replaced.
  // Looks into the file system. FailedPrecondition when not enabled; InvalidArgument; NotFound;
  // AlreadyExists; ResourceExhausted when kMaxRegions are registered.
  absl::Status Register(RegionSpec spec);
  // "": all. Who holds a region keeps it.
  void Unregister(const std::string& name);
  // Null when there is none.
  std::shared_ptr<const SharedMemoryRegion> Find(const std::string& name) const;
  std::vector<RegionSpec> List() const;

  static constexpr size_t kMaxRegions = 512;  // each holds a file descriptor

 private:
  absl::Status Check(const RegionSpec& spec) const;
  absl::Status CheckNew(const RegionSpec& spec) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string prefix_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<const SharedMemoryRegion>> regions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fovea
