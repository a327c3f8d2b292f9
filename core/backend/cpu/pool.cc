// Pooling and its gradient through oneDNN, L2 pooling by pool_l2.cc; the rest through the
// reference.
#include <algorithm>

#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/cpu/pool.h"
#include "core/backend/reference/reference_kernel.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

// The window in oneDNN's terms. The padding behind is what the output's extent implies.
struct Geometry {
  Geometry(const Pool& pool, const Dims& x, const Dims& y) {
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t extent = x[2 + axis];
      kernel[axis] = pool.global ? extent : pool.window.kernel[axis];
      stride[axis] = pool.global ? 1 : pool.window.stride[axis];
      dilation[axis] = pool.global ? 0 : pool.window.dilation[axis] - 1;
      pad_begin[axis] = pool.global ? 0 : pool.window.pad[axis];
      const int64_t pad = pool.global ? 0 : pool.window.pad[axis + 2];
      const int64_t reach =
          (y[2 + axis] - 1) * stride[axis] + (kernel[axis] - 1) * (dilation[axis] + 1) + 1;
      pad_end[axis] = std::max(pad, reach - extent - pad_begin[axis]);
      overhangs = overhangs || pad_end[axis] > pad;
      dilated = dilated || dilation[axis] > 0;
    }
  }
  dnnl_dims_t kernel, stride, dilation, pad_begin, pad_end;
  bool overhangs = false;  // rounding up added padding
  bool dilated = false;
};

dnnl_alg_kind_t Algorithm(const Pool& pool) {
  if (pool.kind == PoolKind::kMax) return dnnl_pooling_max;
  return pool.count_include_pad ? dnnl_pooling_avg_include_padding
                                : dnnl_pooling_avg_exclude_padding;
}

absl::StatusOr<PrimitiveDesc> CreateForward(const Pool& pool, const Desc& x, const Desc& y,
                                            const Geometry& geometry, dnnl_prop_kind_t kind) {
  if (geometry.dilated) {
    dnnl_pooling_v2_desc_t op;
    RETURN_IF_DNNL_ERROR(dnnl_pooling_v2_forward_desc_init(
                             &op, kind, Algorithm(pool), &x, &y, geometry.stride, geometry.kernel,
                             geometry.dilation, geometry.pad_begin, geometry.pad_end),
                         "describing a pooling");
    return CreateDesc(&op, MakeAttr());
  }
  dnnl_pooling_desc_t op;
  RETURN_IF_DNNL_ERROR(
      dnnl_pooling_forward_desc_init(&op, kind, Algorithm(pool), &x, &y, geometry.stride,
                                     geometry.kernel, geometry.pad_begin, geometry.pad_end),
      "describing a pooling");
  return CreateDesc(&op, MakeAttr());
}

absl::StatusOr<PrimitiveDesc> CreateBackward(const Pool& pool, const Desc& x, const Desc& y,
                                             const Geometry& geometry) {
  ASSIGN_OR_RETURN(const PrimitiveDesc hint,
                   CreateForward(pool, x, y, geometry, dnnl_forward_training));
  if (geometry.dilated) {
    dnnl_pooling_v2_desc_t op;
    RETURN_IF_DNNL_ERROR(dnnl_pooling_v2_backward_desc_init(
                             &op, Algorithm(pool), &x, &y, geometry.stride, geometry.kernel,
                             geometry.dilation, geometry.pad_begin, geometry.pad_end),
                         "describing a pooling's gradient");
    return CreateDesc(&op, MakeAttr(), hint.get());
  }
  dnnl_pooling_desc_t op;
  RETURN_IF_DNNL_ERROR(
      dnnl_pooling_backward_desc_init(&op, Algorithm(pool), &x, &y, geometry.stride,
                                      geometry.kernel, geometry.pad_begin, geometry.pad_end),
      "describing a pooling's gradient");
  return CreateDesc(&op, MakeAttr(), hint.get());
}

}  // namespace

bool HasPoolPrimitive(const Pool& pool, const Type& x, const Type& y) {
  const bool integers = x.dtype == DType::kU8 || x.dtype == DType::kI8;
  if (!(IsFastFloat(x.dtype) || integers) || pool.kind == PoolKind::kL2) return false;
  const Geometry geometry(pool, x.dims, y.dims);
  if (geometry.overhangs && pool.count_include_pad) return false;
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t extent = (geometry.kernel[axis] - 1) * (geometry.dilation[axis] + 1) + 1;
    if (geometry.pad_begin[axis] >= extent || geometry.pad_end[axis] >= extent) return false;
  }
  return true;
}

absl::StatusOr<Lowered> LowerPool(const NodeView& view, const Pool& pool) {
  const Type &x = view.in(0), &y = view.out(0);
  if (pool.kind == PoolKind::kL2) return LowerL2Pool(view, pool);
  if (!HasPoolPrimitive(pool, x, y)) return LowerReference(view.graph, view.node);
  const Geometry geometry(pool, x.dims, y.dims);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc,
                   CreateForward(pool, DescOf(x), DescAs(y, x.layout), geometry,
                                 pool.training ? dnnl_forward_training : dnnl_forward_inference));
  std::vector<Argument> arguments = {In(DNNL_ARG_SRC, 0), Out(DNNL_ARG_DST, 0)};
  if (!pool.training || pool.kind != PoolKind::kMax) return LowerPrimitive(desc, arguments);
  arguments.push_back(Out(DNNL_ARG_WORKSPACE, 1));
  ASSIGN_OR_RETURN(Lowered lowered, LowerPrimitive(desc, arguments));
  lowered.output_bytes = {LayoutBytes(y), ArgumentBytes(desc.get(), DNNL_ARG_WORKSPACE)};
  return lowered;
}

absl::StatusOr<Lowered> LowerPoolBackward(const NodeView& view, const PoolBackward& pool) {
  const Type &dy = view.in(0), &dx = view.out(0);
  if (pool.forward.kind == PoolKind::kL2) return LowerL2PoolBackward(view, pool);
  if (!HasPoolPrimitive(pool.forward, dx, dy)) return LowerReference(view.graph, view.node);
  const Geometry geometry(pool.forward, dx.dims, dy.dims);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc,
                   CreateBackward(pool.forward, DescOf(dx), DescAs(dy, dx.layout), geometry));
  std::vector<Argument> arguments = {In(DNNL_ARG_DIFF_DST, 0), Out(DNNL_ARG_DIFF_SRC, 0)};
  if (pool.forward.kind == PoolKind::kMax) arguments.push_back(In(DNNL_ARG_WORKSPACE, 1));
  return LowerPrimitive(desc, arguments);
}

}  // namespace fovea::cpu
