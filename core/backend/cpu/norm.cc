// Batch normalisation, its training form and its gradient through oneDNN, where batch_norm.cc has
// no kernel of our own.
#include "core/backend/cpu/batch_norm.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

constexpr unsigned kScaleAndShift = dnnl_use_scale | dnnl_use_shift;

unsigned TrainingFlags(bool relu) {
  return relu ? kScaleAndShift | dnnl_fuse_norm_relu : kScaleAndShift;
}

absl::StatusOr<PrimitiveDesc> CreateForward(const Desc& x, float epsilon, unsigned flags,
                                            dnnl_prop_kind_t kind) {
  dnnl_batch_normalization_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_batch_normalization_forward_desc_init(&op, kind, &x, epsilon, flags),
                       "describing a batch normalisation");
  return CreateDesc(&op, MakeAttr());
}

}  // namespace

absl::StatusOr<Lowered> LowerBatchNorm(const NodeView& view, const BatchNorm& norm) {
  ASSIGN_OR_RETURN(const PrimitiveDesc desc,
                   CreateForward(DescOf(view.in(0)), norm.epsilon,
                                 kScaleAndShift | dnnl_use_global_stats, dnnl_forward_inference));
  ASSIGN_OR_RETURN(
      Lowered lowered,
      LowerPrimitive(desc, {In(DNNL_ARG_SRC, 0), In(DNNL_ARG_SCALE, 1), In(DNNL_ARG_SHIFT, 2),
                            In(DNNL_ARG_MEAN, 3), In(DNNL_ARG_VARIANCE, 4), Out(DNNL_ARG_DST, 0)}));
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerBatchNormTraining(const NodeView& view,
                                               const BatchNormTraining& norm) {
  if (HasOwnBatchNorm(view.in(0))) return LowerOwnBatchNormTraining(view, norm);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc,
                   CreateForward(DescOf(view.in(0)), norm.epsilon, TrainingFlags(norm.relu),
                                 dnnl_forward_training));
  std::vector<Argument> arguments = {In(DNNL_ARG_SRC, 0),   In(DNNL_ARG_SCALE, 1),
                                     In(DNNL_ARG_SHIFT, 2), Out(DNNL_ARG_DST, 0),
                                     Out(DNNL_ARG_MEAN, 1), Out(DNNL_ARG_VARIANCE, 2)};
  if (norm.relu) arguments.push_back(Out(DNNL_ARG_WORKSPACE, 3));
  ASSIGN_OR_RETURN(Lowered lowered, LowerPrimitive(desc, arguments));
  lowered.output_bytes = {LayoutBytes(view.out(0)), LayoutBytes(view.out(1)),
                          LayoutBytes(view.out(2)),
                          norm.relu ? ArgumentBytes(desc.get(), DNNL_ARG_WORKSPACE) : 0};
  return lowered;
}

absl::StatusOr<Lowered> LowerBatchNormBackward(const NodeView& view,
                                               const BatchNormBackward& norm) {
  if (HasOwnBatchNorm(view.in(0))) return LowerOwnBatchNormBackward(view, norm);
  const Desc x = DescOf(view.in(0)), dy = DescOf(view.in(1));
  const unsigned flags = TrainingFlags(norm.relu);
  ASSIGN_OR_RETURN(const PrimitiveDesc hint,
                   CreateForward(x, norm.epsilon, flags, dnnl_forward_training));
  dnnl_batch_normalization_desc_t op;
  RETURN_IF_DNNL_ERROR(
      dnnl_batch_normalization_backward_desc_init(&op, dnnl_backward, &dy, &x, norm.epsilon, flags),
      "describing a batch normalisation's gradient");
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, CreateDesc(&op, MakeAttr(), hint.get()));
  std::vector<Argument> arguments = {
      In(DNNL_ARG_SRC, 0),       In(DNNL_ARG_DIFF_DST, 1),    In(DNNL_ARG_SCALE, 2),
      In(DNNL_ARG_SHIFT, 3),     In(DNNL_ARG_MEAN, 4),        In(DNNL_ARG_VARIANCE, 5),
      Out(DNNL_ARG_DIFF_SRC, 0), Out(DNNL_ARG_DIFF_SCALE, 1), Out(DNNL_ARG_DIFF_SHIFT, 2)};
  if (norm.relu) arguments.push_back(In(DNNL_ARG_WORKSPACE, 6));
  ASSIGN_OR_RETURN(Lowered lowered, LowerPrimitive(desc, arguments));
  lowered.may_overwrite_input = 1;
  return lowered;
}

}  // namespace fovea::cpu
