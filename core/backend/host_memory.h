// Host memory and the host stream, and HostBackend: what every backend whose device is the
// processor shares.
#pragma once

#include <memory>

#include "core/backend/backend.h"

namespace fovea {

// Zeroed memory aligned to 64 bytes, on 2 MiB pages where large. ResourceExhausted when there is
// not enough.
absl::StatusOr<std::unique_ptr<Buffer>> AllocateHost(size_t bytes);

// Kernels run when they are called, so there is nothing to wait for.
class HostStream : public Stream {
 public:
  absl::Status Synchronize() override { return absl::OkStatus(); }
};

// A backend whose memory is the host's.
class HostBackend : public Backend {
 public:
  absl::StatusOr<std::unique_ptr<Buffer>> Allocate(size_t bytes) const override;
  absl::Status Upload(const void* source, void* address, size_t bytes) const override;
  absl::Status Download(const void* address, void* target, size_t bytes) const override;
  bool host_memory() const override { return true; }
  absl::StatusOr<std::unique_ptr<Stream>> NewStream() const override;
};

}  // namespace fovea
