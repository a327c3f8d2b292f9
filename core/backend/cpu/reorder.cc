// Reorder between two layouts, Cast between f32 and bf16, and softmax, through oneDNN.
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/reference/reference_kernel.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

// `type` described with the axes of `other`: packed weights of a grouped convolution have one more.
Desc DescLike(const Type& type, const Type& other) {
  if (type.layout == kDense && other.layout >= kFirstInterned) {
    const Desc& packed = InternedDesc(other.layout);
    return DenseDesc(absl::MakeConstSpan(packed.dims, packed.ndims), type.dtype);
  }
  return DescOf(type);
}

}  // namespace

absl::StatusOr<Lowered> LowerReorder(const NodeView& view) {
  const Desc from = DescLike(view.in(0), view.out(0)), to = DescLike(view.out(0), view.in(0));
  dnnl_primitive_desc_t desc = nullptr;
  RETURN_IF_DNNL_ERROR(
      dnnl_reorder_primitive_desc_create(&desc, &from, Engine(), &to, Engine(), MakeAttr().get()),
      "choosing a reorder");
  return LowerPrimitive(PrimitiveDesc(desc), {In(DNNL_ARG_FROM, 0), Out(DNNL_ARG_TO, 0)});
}

absl::StatusOr<Lowered> LowerCast(const NodeView& view) {
  const bool fast = IsFastFloat(view.in(0).dtype) && IsFastFloat(view.out(0).dtype);
  return fast ? LowerReorder(view) : LowerReference(view.graph, view.node);
}

absl::StatusOr<Lowered> LowerSoftmax(const NodeView& view) {
  const Desc x = DescOf(view.in(0));
  dnnl_softmax_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_softmax_forward_desc_init(&op, dnnl_forward_inference, &x, 1),
                       "describing a softmax");
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, CreateDesc(&op, MakeAttr()));
  ASSIGN_OR_RETURN(Lowered lowered,
                   LowerPrimitive(desc, {In(DNNL_ARG_SRC, 0), Out(DNNL_ARG_DST, 0)}));
  lowered.may_overwrite_input = 0;
  return lowered;
}

}  // namespace fovea::cpu
