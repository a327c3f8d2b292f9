// Parameter updates over whole regions: every optimizer's rule is one op, all of one form.
#include <algorithm>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/rate_segments.h"
#include "core/ops/reference.h"
#include "core/ops/update_rules.h"

namespace fovea {
namespace {

// The first `regions` inputs are regions of one size and type; then comes the learning rate.
absl::Status CheckRegions(absl::Span<const Type> inputs, size_t regions, int64_t decayed) {
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, regions + 1));
  RETURN_IF_ERROR(ops::ExpectRank("parameters", inputs[0], 1));
  for (size_t i = 1; i < regions; ++i) {
    RETURN_IF_ERROR(ops::ExpectDims(i == 1 ? "gradients" : "a slot", inputs[i], inputs[0].dims));
  }
  RETURN_IF_ERROR(ops::ExpectDims("learning rate", inputs[regions], {1}));
  if (decayed < 0 || decayed > inputs[0].dims[0]) {
    return absl::InvalidArgumentError(absl::StrCat("weight decay applies to the first ", decayed,
                                                   " elements, the region has ",
                                                   inputs[0].dims[0]));
  }
  return absl::OkStatus();
}

template <typename Op>
absl::StatusOr<std::vector<Type>> InferUpdate(const Node& node, absl::Span<const Type> inputs) {
  const Op& op = std::get<Op>(node.attrs);
  const ops::UpdateOperands at = ops::OperandsOf(op);
  const auto slots = static_cast<size_t>(op.slots());
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, static_cast<size_t>(at.count)));
  RETURN_IF_ERROR(CheckRegions(inputs, 2 + slots, op.terms.decayed));
  RETURN_IF_ERROR(ops::CheckRateSegments(node.constants, inputs[0].dims[0]));
  if (at.step >= 0) {
    RETURN_IF_ERROR(ops::ExpectDType("step", inputs[at.step], DType::kI64));
    RETURN_IF_ERROR(ops::ExpectDims("step", inputs[at.step], {1}));
  }
  if (at.scale >= 0) {
    RETURN_IF_ERROR(ops::ExpectDType("scale", inputs[at.scale], inputs[0].dtype));
    RETURN_IF_ERROR(ops::ExpectDims("scale", inputs[at.scale], {1}));
  }
  return std::vector<Type>(1 + slots, {inputs[0].dtype, inputs[0].dims});
}

// Outputs may be the inputs they overwrite.
template <typename T, typename Op>
void ReferenceRange(const Op& op, absl::Span<const TensorView> in, absl::Span<const TensorView> out,
                    float factor, int64_t begin, int64_t end, bool decayed) {
  const ops::UpdateOperands at = ops::OperandsOf(op);
  const int64_t step = at.step < 0 ? 0 : *in[at.step].template as<int64_t>();
  const T scale = at.scale < 0 ? T{1} : *in[at.scale].template as<T>();
  const T rate = *in[at.rate].template as<T>() * static_cast<T>(factor);
  const auto rule = ops::RuleFor<T>(op, step, decayed);
  const auto terms = ops::TermsFor<T>(op.terms, scale, decayed);
  for (int64_t i = begin; i < end; ++i) {
    T p = in[0].template as<T>()[i], slots[3] = {};
    for (int k = 0; k < op.slots(); ++k) slots[k] = in[2 + k].template as<T>()[i];
    ops::UpdateElement<T>(rule, terms, rate, in[1].template as<T>()[i], &p, slots);
    out[0].template as<T>()[i] = p;
    for (int k = 0; k < op.slots(); ++k) out[1 + k].template as<T>()[i] = slots[k];
  }
}

template <typename Op>
void ReferenceUpdate(const Node& node, absl::Span<const TensorView> in,
                     absl::Span<const TensorView> out) {
  const Op& op = std::get<Op>(node.attrs);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t count = in[0].count(), decayed = op.terms.decayed;
    const auto segments = ops::RateSegments(node.constants, count);
    ops::ForEachSegment(segments, 0, decayed, [&](int64_t begin, int64_t end, float factor) {
      ReferenceRange<T>(op, in, out, factor, begin, end, true);
    });
    ops::ForEachSegment(segments, decayed, count, [&](int64_t begin, int64_t end, float factor) {
      ReferenceRange<T>(op, in, out, factor, begin, end, false);
    });
  });
}

template <typename Op>
constexpr OpDef UpdateOp(absl::string_view name) {
  return {name, InferUpdate<Op>, ops::NoFlops, nullptr, ReferenceUpdate<Op>};
}

}  // namespace

#define FOVEA_DEFINE_UPDATE(Op)                    \
  const OpDef& OpOf(const Op&) {                   \
    static constexpr OpDef op = UpdateOp<Op>(#Op); \
    return op;                                     \
  }
FOVEA_DEFINE_UPDATE(SgdMomentum)
FOVEA_DEFINE_UPDATE(Adam)
FOVEA_DEFINE_UPDATE(Adagrad)
FOVEA_DEFINE_UPDATE(AdagradDa)
FOVEA_DEFINE_UPDATE(Adadelta)
FOVEA_DEFINE_UPDATE(RmsProp)
FOVEA_DEFINE_UPDATE(Ftrl)
FOVEA_DEFINE_UPDATE(ProximalGradientDescent)
FOVEA_DEFINE_UPDATE(ProximalAdagrad)
FOVEA_DEFINE_UPDATE(Lion)
#undef FOVEA_DEFINE_UPDATE

}  // namespace fovea
