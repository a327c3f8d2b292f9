// Where a tensor lies in shared memory, by the parameters of an input or a requested output.
//
// Private to server/services.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/map.h"
#include "inference/inference.pb.h"
#include "server/services/shared_memory.h"

namespace fovea {

using TensorParameters = google::protobuf::Map<std::string, inference::InferParameter>;

// Part of a region, which it holds.
struct SharedTensor {
  std::shared_ptr<const SharedMemoryRegion> region;
  uint64_t offset = 0;  // in the region
  uint64_t byte_size = 0;
  std::string field;  // of the request, for messages
};

// Absent when the parameters name no region. `field` is that of the tensor: "inputs[0]".
// InvalidArgument when they contradict one another, the registered regions, or the region's size.
absl::StatusOr<std::optional<SharedTensor>> ReadSharedTensor(const TensorParameters& parameters,
                                                             const SharedMemoryRegions& regions,
                                                             absl::string_view field);

// Writes the bytes there and says so in `parameters`. InvalidArgument when they do not fit.
absl::Status WriteSharedTensor(const SharedTensor& tensor, absl::string_view bytes,
                               TensorParameters* parameters);

}  // namespace fovea
