// oneDNN for this folder: the one header that includes it. Owners for its objects, descriptors of
// our types, the table of interned layouts, and the kernel that runs a primitive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/products.h"
#include "oneapi/dnnl/dnnl.h"

namespace fovea::cpu {

using Desc = dnnl_memory_desc_t;

template <typename Object, dnnl_status_t (*destroy)(Object*)>
struct Destroy {
  void operator()(Object* object) const { destroy(object); }
};
using PrimitiveAttr =
    std::unique_ptr<dnnl_primitive_attr, Destroy<dnnl_primitive_attr, dnnl_primitive_attr_destroy>>;
using PrimitiveDesc =
    std::unique_ptr<dnnl_primitive_desc, Destroy<dnnl_primitive_desc, dnnl_primitive_desc_destroy>>;

// Unimplemented for what oneDNN does not know, ResourceExhausted, or Internal.
absl::Status ToStatus(dnnl_status_t status, const char* doing);
#define RETURN_IF_DNNL_ERROR(expr, doing) RETURN_IF_ERROR(::fovea::cpu::ToStatus((expr), (doing)))

// The processor, for the whole process.
dnnl_engine_t Engine();

// ---- Descriptors.

dnnl_data_type_t DataType(DType dtype);

Desc DenseDesc(absl::Span<const int64_t> dims, DType dtype = DType::kF32);
inline Desc DenseDesc(const Dims& dims, DType dtype = DType::kF32) {
  return DenseDesc(dims.extents(), dtype);
}
// The value of `type` with its own layout, or read as another one that it Satisfies.
Desc DescOf(const Type& type);
Desc DescAs(const Type& type, Layout layout);
// The same extents, memory format left to oneDNN.
Desc AnyDesc(const Desc& desc);

// The id of a descriptor: kDense when it equals `dense`, else interned. Thread-safe.
Layout Intern(const Desc& desc, const Desc& dense);
const Desc& InternedDesc(Layout layout);

// ---- Primitives.

// User-mode scratchpad; then, after the primitive, y = activation(x + previous y if `sum`).
PrimitiveAttr MakeAttr(bool sum = false, ActivationSpec activation = {});

// The same for a product of quantised values, which leaves y in its own units. oneDNN adds the bias
// to the sum of products before it scales that.
PrimitiveAttr MakeQuantizedAttr(const ProductScales& scales, const ActivationSpec& activation,
                                bool sum);

// An activation in oneDNN's terms; hard-sigmoid is a line, still to be clipped.
struct Eltwise {
  dnnl_alg_kind_t kind = dnnl_alg_kind_undef;
  float alpha = 0, beta = 0;
  float scale = 1;  // of the result
};
Eltwise EltwiseOf(const ActivationSpec& activation);

// Creates a primitive descriptor from any operation descriptor.
absl::StatusOr<PrimitiveDesc> CreateDesc(const void* op_desc, const PrimitiveAttr& attr,
                                         const_dnnl_primitive_desc_t hint = nullptr);
std::string ImplementationName(const_dnnl_primitive_desc_t desc);
// Whether the name is that of a reference implementation.
bool IsSlow(const std::string& implementation);
// What the primitive wants to find at an argument (DNNL_ARG_…).
const Desc& ArgumentDesc(const_dnnl_primitive_desc_t desc, int argument);
size_t ArgumentBytes(const_dnnl_primitive_desc_t desc, int argument);

// Connects an argument of a primitive with a value of the node.
struct Argument {
  enum class From { kInput, kOutput };
  int argument = 0;
  From from = From::kInput;
  int index = 0;
};
inline Argument In(int argument, int index) { return {argument, Argument::From::kInput, index}; }
inline Argument Out(int argument, int index) { return {argument, Argument::From::kOutput, index}; }

// The arguments of a convolution or dense node in a direction: its inputs and outputs in order.
std::vector<Argument> ProductArguments(Direction direction, bool has_bias);

// The primitive as a kernel; scratch and name are filled in.
absl::StatusOr<Lowered> LowerPrimitive(const PrimitiveDesc& desc, std::vector<Argument> arguments);

}  // namespace fovea::cpu
