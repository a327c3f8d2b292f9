#include "core/backend/reference/reference_backend.h"

#include <cstring>

#include "core/backend/host_memory.h"
#include "core/backend/reference/reference_kernel.h"

namespace fovea {
namespace {

class Reference : public Backend {
 public:
  const char* name() const override { return "reference"; }
  absl::StatusOr<std::unique_ptr<Buffer>> Allocate(size_t bytes) const override {
    return AllocateHost(bytes);
  }
  absl::Status Upload(const void* source, void* address, size_t bytes) const override {
    std::memcpy(address, source, bytes);
    return absl::OkStatus();
  }
  absl::Status Download(const void* address, void* target, size_t bytes) const override {
    std::memcpy(target, address, bytes);
    return absl::OkStatus();
  }
  bool host_memory() const override { return true; }
  size_t Bytes(const Type& type) const override { return type.dense_bytes(); }
  bool Supports(const Graph&, const Node&) const override { return true; }
  absl::StatusOr<Lowered> Lower(const Graph& graph, const Node& node,
                                const CompileOptions&) const override {
    return LowerReference(graph, node);
  }
  absl::StatusOr<std::unique_ptr<Stream>> NewStream() const override {
    return std::make_unique<HostStream>();
  }
};

}  // namespace

const Backend& ReferenceBackend() {
  static const Reference* backend = new Reference;
  return *backend;
}

}  // namespace fovea
