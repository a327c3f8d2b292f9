#include "core/backend/reference/reference_backend.h"

#include "core/backend/host_memory.h"
#include "core/backend/reference/reference_kernel.h"

namespace fovea {
namespace {

class Reference : public HostBackend {
 public:
  const char* name() const override { return "reference"; }
  size_t Bytes(const Type& type) const override { return type.dense_bytes(); }
  bool Supports(const Graph& graph, const Node& node) const override {
    return HasReferenceKernel(graph, node);
  }
  absl::StatusOr<Lowered> Lower(const Graph& graph, const Node& node,
                                const CompileOptions&) const override {
    return LowerReference(graph, node);
  }
};

}  // namespace

const Backend& ReferenceBackend() {
  static const Reference* backend = new Reference;
  return *backend;
}

}  // namespace fovea
