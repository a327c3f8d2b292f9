// The update rules for the host: the formulas of update_rules_c.h for float and for double, and
// what turns an op's attributes into one of them. The reference kernels and backend cpu's loops are
// both made of UpdateElement.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/graph/update_attrs.h"

namespace fovea::ops {

using std::fabs;
using std::pow;
using std::sqrt;

// Inlined into the caller's loop, whatever instruction set that is compiled for.
#define FOVEA_RULE [[gnu::always_inline]] static inline

template <typename T>
struct Rules;

template <>
struct Rules<float> {
#define FOVEA_REAL float
#include "core/ops/update_rules_c.h"
#undef FOVEA_REAL
};

template <>
struct Rules<double> {
#define FOVEA_REAL double
#include "core/ops/update_rules_c.h"
#undef FOVEA_REAL
};

#undef FOVEA_RULE

// Where the operands behind the regions stand among an update's inputs; −1: not there.
struct UpdateOperands {
  int rate;
  int step;
  int scale;
  int count;
};
template <typename Op>
UpdateOperands OperandsOf(const Op& op) {
  UpdateOperands at = {2 + op.slots(), -1, -1, 3 + op.slots()};
  if (Op::kReadsStep) at.step = at.count++;
  if (op.terms.scaled) at.scale = at.count++;
  return at;
}

template <typename T>
typename Rules<T>::GradientTerms TermsFor(const UpdateTerms& terms, T scale, bool decayed) {
  const auto limit = static_cast<T>(terms.clip_value);
  return {scale, limit > 0 ? limit : std::numeric_limits<T>::infinity(),
          static_cast<T>(decayed ? terms.weight_decay : 0),
          static_cast<T>(decayed ? terms.l1_decay : 0),
          static_cast<T>(decayed ? terms.decoupled_decay : 0)};
}

// ---- RuleFor<T>(op, step, decayed): the rule of an op as a function of (rate, g, p, slots).

// What Adam computes once a step: 1 − βᵗ, with t = step + 1.
inline double AdamCorrection(double beta, int64_t step) {
  return 1.0 - std::pow(beta, static_cast<double>(step + 1));
}

#define FOVEA_RULE_FUNCTION(T, rule)                              \
  [k](T rate, T g, T * p, T * s) __attribute__((always_inline)) { \
    Rules<T>::rule(k, rate, g, p, s);                             \
  }

template <typename T>
auto RuleFor(const SgdMomentum& op, int64_t, bool) {
  const typename Rules<T>::SgdMomentumScalars k = {static_cast<T>(op.momentum), op.nesterov};
  return FOVEA_RULE_FUNCTION(T, SgdMomentumRule);
}
template <typename T>
auto RuleFor(const Adam& op, int64_t step, bool) {
  const typename Rules<T>::AdamScalars k = {static_cast<T>(op.beta1), static_cast<T>(op.beta2),
                                            static_cast<T>(op.epsilon),
                                            static_cast<T>(AdamCorrection(op.beta1, step)),
                                            static_cast<T>(AdamCorrection(op.beta2, step))};
  return FOVEA_RULE_FUNCTION(T, AdamRule);
}
template <typename T>
auto RuleFor(const Adagrad& op, int64_t, bool) {
  const typename Rules<T>::AdagradScalars k = {static_cast<T>(op.epsilon)};
  return FOVEA_RULE_FUNCTION(T, AdagradRule);
}
template <typename T>
auto RuleFor(const AdagradDa& op, int64_t step, bool decayed) {
  const typename Rules<T>::AdagradDaScalars k = {static_cast<T>(decayed ? op.l1 : 0),
                                                 static_cast<T>(decayed ? op.l2 : 0),
                                                 static_cast<T>(step + 1)};
  return FOVEA_RULE_FUNCTION(T, AdagradDaRule);
}
template <typename T>
auto RuleFor(const Adadelta& op, int64_t, bool) {
  const typename Rules<T>::AdadeltaScalars k = {static_cast<T>(op.rho), static_cast<T>(op.epsilon)};
  return FOVEA_RULE_FUNCTION(T, AdadeltaRule);
}
template <typename T>
auto RuleFor(const RmsProp& op, int64_t, bool) {
  const typename Rules<T>::RmsPropScalars k = {static_cast<T>(op.decay),
                                               static_cast<T>(op.momentum),
                                               static_cast<T>(op.epsilon), op.centered};
  return FOVEA_RULE_FUNCTION(T, RmsPropRule);
}
template <typename T>
auto RuleFor(const Ftrl& op, int64_t, bool decayed) {
  const typename Rules<T>::FtrlScalars k = {
      static_cast<T>(-op.learning_rate_power),       static_cast<T>(op.beta),
      static_cast<T>(decayed ? op.l1 : 0),           static_cast<T>(decayed ? op.l2 : 0),
      static_cast<T>(decayed ? op.l2_shrinkage : 0), op.learning_rate_power == -0.5f};
  return FOVEA_RULE_FUNCTION(T, FtrlRule);
}
template <typename T>
auto RuleFor(const ProximalGradientDescent& op, int64_t, bool decayed) {
  const typename Rules<T>::ProximalScalars k = {static_cast<T>(decayed ? op.l1 : 0),
                                                static_cast<T>(decayed ? op.l2 : 0)};
  return FOVEA_RULE_FUNCTION(T, ProximalGradientDescentRule);
}
template <typename T>
auto RuleFor(const ProximalAdagrad& op, int64_t, bool decayed) {
  const typename Rules<T>::ProximalScalars k = {static_cast<T>(decayed ? op.l1 : 0),
                                                static_cast<T>(decayed ? op.l2 : 0)};
  return FOVEA_RULE_FUNCTION(T, ProximalAdagradRule);
}
template <typename T>
auto RuleFor(const Lion& op, int64_t, bool) {
  const typename Rules<T>::LionScalars k = {static_cast<T>(op.beta1), static_cast<T>(op.beta2)};
  return FOVEA_RULE_FUNCTION(T, LionRule);
}

#undef FOVEA_RULE_FUNCTION

// One element of an update, whole. `p` and `slots` are the caller's copies.
template <typename T, typename Rule>
[[gnu::always_inline]] inline void UpdateElement(const Rule& rule,
                                                 const typename Rules<T>::GradientTerms& terms,
                                                 T rate, T gradient, T* p, T* slots) {
  const T before = *p;
  rule(rate, Rules<T>::RegularizedGradient(terms, gradient, before), p, slots);
  *p -= rate * terms.decoupled_decay * before;
}

}  // namespace fovea::ops
