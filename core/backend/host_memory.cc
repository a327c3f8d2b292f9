#include "core/backend/host_memory.h"

#include <sys/mman.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace fovea {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Anonymous pages are zeroed by the kernel when first touched, so a large arena costs nothing
// before it is used.
class HostBuffer : public Buffer {
 public:
  HostBuffer(void* mapping, size_t mapped, void* address, size_t bytes)
      : Buffer(address, bytes), mapping_(mapping), mapped_(mapped) {}
  ~HostBuffer() override { munmap(mapping_, mapped_); }

 private:
  void* mapping_;
  size_t mapped_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Buffer>> AllocateHost(size_t bytes) {
  const bool huge = bytes >= 2 * kHugePage;
  const size_t mapped = bytes + (huge ? kHugePage : 64);
  if (mapped < bytes) return absl::ResourceExhaustedError("buffer size overflows");
  void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for a buffer of ", bytes, " bytes"));
  }
  uintptr_t address = reinterpret_cast<uintptr_t>(mapping);
  if (huge) {
    address = (address + kHugePage - 1) / kHugePage * kHugePage;
    madvise(reinterpret_cast<void*>(address), bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
  return std::make_unique<HostBuffer>(mapping, mapped, reinterpret_cast<void*>(address), bytes);
}

absl::StatusOr<std::unique_ptr<Buffer>> HostBackend::Allocate(size_t bytes) const {
  return AllocateHost(bytes);
}

absl::Status HostBackend::Upload(const void* source, void* address, size_t bytes) const {
  std::memcpy(address, source, bytes);
  return absl::OkStatus();
}

absl::Status HostBackend::Download(const void* address, void* target, size_t bytes) const {
  std::memcpy(target, address, bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Stream>> HostBackend::NewStream() const {
  return std::make_unique<HostStream>();
}

}  // namespace fovea
