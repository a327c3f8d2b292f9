// Activations with an exponential, and their gradients, through oneDNN.
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

absl::StatusOr<PrimitiveDesc> CreateForward(const Eltwise& eltwise, const Desc& x) {
  dnnl_eltwise_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_eltwise_forward_desc_init(&op, dnnl_forward_training, eltwise.kind, &x,
                                                      eltwise.alpha, eltwise.beta),
                       "describing an activation");
  return CreateDesc(&op, MakeAttr());
}

FOVEA_MULTIVERSION
void ScaleRange(float scale, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] *= scale;
}

}  // namespace

bool HasEltwisePrimitive(Activation kind) {
  return kind == Activation::kElu || kind == Activation::kSelu || kind == Activation::kGelu ||
         kind == Activation::kSilu || kind == Activation::kSoftplus;
}

absl::StatusOr<Lowered> LowerEltwise(const NodeView& view, const ActivationSpec& activation) {
  const Eltwise eltwise = EltwiseOf(activation);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, CreateForward(eltwise, DescOf(view.in(0))));
  ASSIGN_OR_RETURN(Lowered lowered,
                   LowerPrimitive(desc, {In(DNNL_ARG_SRC, 0), Out(DNNL_ARG_DST, 0)}));
  if (eltwise.scale != 1) {
    const int64_t count = PaddedCount(view.out(0));
    lowered = Followed(std::move(lowered), [=](Addresses, Addresses out) {
      float* y = At<float>(out, 0);
      ParallelRanges(count, 4096, [&](int64_t begin, int64_t end) {
        ScaleRange(eltwise.scale, y + begin, end - begin);
      });
    });
  }
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerEltwiseBackward(const NodeView& view,
                                             const ActivationSpec& activation) {
  const Eltwise eltwise = EltwiseOf(activation);
  const Desc x = DescOf(view.in(0)), dy = DescOf(view.in(1));
  ASSIGN_OR_RETURN(const PrimitiveDesc hint, CreateForward(eltwise, x));
  dnnl_eltwise_desc_t op;
  RETURN_IF_DNNL_ERROR(
      dnnl_eltwise_backward_desc_init(&op, eltwise.kind, &dy, &x, eltwise.alpha, eltwise.beta),
      "describing an activation's gradient");
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, CreateDesc(&op, MakeAttr(), hint.get()));
  ASSIGN_OR_RETURN(Lowered lowered,
                   LowerPrimitive(desc, {In(DNNL_ARG_SRC, 0), In(DNNL_ARG_DIFF_DST, 1),
                                         Out(DNNL_ARG_DIFF_SRC, 0)}));
  lowered.may_overwrite_input = 1;
  return lowered;
}

}  // namespace fovea::cpu
