// The optimizers' updates: one pass over the whole regions, whatever the rule.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"
#include "core/graph/op_def.h"
#include "core/ops/rate_segments.h"
#include "core/ops/update_rules.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;

// The memory of an update; the regions are overwritten in place.
struct Regions {
  const float* gradient = nullptr;
  float* parameter = nullptr;
  std::array<float*, 3> slot = {};

  Regions From(int64_t begin) const {
    Regions from = {gradient + begin, parameter + begin};
    for (size_t k = 0; k < slot.size(); ++k) from.slot[k] = slot[k] ? slot[k] + begin : nullptr;
    return from;
  }
};

// What is the same for all elements of a range.
struct Scalars {
  int64_t step = 0;
  float rate = 0;
  float scale = 1;
  bool decayed = false;
};

template <int slots, typename Rule>
[[gnu::always_inline]] inline void Loop(const Rule& rule,
                                        const ops::Rules<float>::GradientTerms& terms, float rate,
                                        const float* gradient, float* __restrict parameter,
                                        float* __restrict slot0, float* __restrict slot1,
                                        float* __restrict slot2, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float p = parameter[i], s[3] = {};
    if constexpr (slots > 0) s[0] = slot0[i];
    if constexpr (slots > 1) s[1] = slot1[i];
    if constexpr (slots > 2) s[2] = slot2[i];
    ops::UpdateElement<float>(rule, terms, rate, gradient[i], &p, s);
    parameter[i] = p;
    if constexpr (slots > 0) slot0[i] = s[0];
    if constexpr (slots > 1) slot1[i] = s[1];
    if constexpr (slots > 2) slot2[i] = s[2];
  }
}

// Every rule's slots but RMSProp's are constants, of which the compiler keeps one loop.
template <typename Op>
[[gnu::always_inline]] inline void AnyRange(const Op& op, const Scalars& scalars, const Regions& r,
                                            int64_t count) {
  const auto rule = ops::RuleFor<float>(op, scalars.step, scalars.decayed);
  const auto terms = ops::TermsFor<float>(op.terms, scalars.scale, scalars.decayed);
  const float rate = scalars.rate;
  const auto [s0, s1, s2] = r.slot;
  switch (op.slots()) {
    case 0:
      return Loop<0>(rule, terms, rate, r.gradient, r.parameter, s0, s1, s2, count);
    case 1:
      return Loop<1>(rule, terms, rate, r.gradient, r.parameter, s0, s1, s2, count);
    case 2:
      return Loop<2>(rule, terms, rate, r.gradient, r.parameter, s0, s1, s2, count);
    default:
      return Loop<3>(rule, terms, rate, r.gradient, r.parameter, s0, s1, s2, count);
  }
}

// One function a rule, since templates have no versions for instruction sets.
#define FOVEA_UPDATE_RANGE(Op)                                                          \
  FOVEA_MULTIVERSION void Range(const Op& op, const Scalars& scalars, const Regions& r, \
                                int64_t count) {                                        \
    AnyRange(op, scalars, r, count);                                                    \
  }
FOVEA_UPDATE_RANGE(SgdMomentum)
FOVEA_UPDATE_RANGE(Adam)
FOVEA_UPDATE_RANGE(Adagrad)
FOVEA_UPDATE_RANGE(AdagradDa)
FOVEA_UPDATE_RANGE(Adadelta)
FOVEA_UPDATE_RANGE(RmsProp)
FOVEA_UPDATE_RANGE(ProximalGradientDescent)
FOVEA_UPDATE_RANGE(ProximalAdagrad)
FOVEA_UPDATE_RANGE(Lion)
#undef FOVEA_UPDATE_RANGE

// The usual power as a constant, so that its loop is free of pow.
FOVEA_MULTIVERSION
void Range(const Ftrl& op, const Scalars& scalars, const Regions& r, int64_t count) {
  if (op.learning_rate_power != -0.5f) return AnyRange(op, scalars, r, count);
  Ftrl square_root = op;
  square_root.learning_rate_power = -0.5f;
  AnyRange(square_root, scalars, r, count);
}

using Segments = std::vector<ops::RateSegment>;

template <typename Op>
void RunUpdate(const Op& op, int64_t count, const Segments& segments, Addresses in, Addresses out) {
  const ops::UpdateOperands at = ops::OperandsOf(op);
  Scalars scalars;
  scalars.rate = *At<float>(in, at.rate);
  if (at.step >= 0) scalars.step = *At<int64_t>(in, at.step);
  if (at.scale >= 0) scalars.scale = *At<float>(in, at.scale);
  Regions regions = {At<float>(in, 1), InPlace(At<float>(in, 0), At<float>(out, 0), count)};
  for (int k = 0; k < op.slots(); ++k) {
    regions.slot[k] = InPlace(At<float>(in, 2 + k), At<float>(out, 1 + k), count);
  }
  ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
    const int64_t middle = std::clamp(op.terms.decayed, begin, end);
    Scalars part = scalars;
    const auto run = [&](int64_t from, int64_t to, float factor) {
      part.rate = scalars.rate * factor;
      Range(op, part, regions.From(from), to - from);
    };
    part.decayed = true;
    ops::ForEachSegment(segments, begin, middle, run);
    part.decayed = false;
    ops::ForEachSegment(segments, middle, end, run);
  });
}

}  // namespace

absl::StatusOr<Lowered> LowerUpdate(const NodeView& view, const Update& update) {
  const int64_t count = view.in(0).dims.count();
  std::string name = absl::StrCat("fovea:", OpOf(view.node.attrs).name);
  const Segments segments = ops::RateSegments(view.node.constants, count);
  return std::visit(
      [&](const auto& op) {
        return LowerHost(std::move(name), [op, count, segments](Addresses in, Addresses out) {
          RunUpdate(op, count, segments, in, out);
        });
      },
      update);
}

}  // namespace fovea::cpu
