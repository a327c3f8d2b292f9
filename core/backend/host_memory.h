// Host memory and the host stream: what every backend whose device is the processor shares.
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

}  // namespace fovea
