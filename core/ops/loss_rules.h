// The losses, for one class or one label of one example, as functions of its logit.
//
// Nothing overflows: powers of p and 1 − p multiply logarithms taken from the logit. attrs.h has
// the formulas and their sources.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/graph/attrs.h"
#include "core/ops/activation.h"

namespace fovea::ops {

// log(1 + eˣ).
inline double Softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double Sigmoid(double x) { return ApplyActivation<double>({Activation::kSigmoid}, x); }

// ---- Over a distribution. A class has probability p = e⁻ᵘ.

struct ClassTerm {
  double value;  // f
  double pull;   // −df / d log p
};

inline ClassTerm TermOfClass(const SoftmaxCrossEntropy& loss, double u) {
  if (loss.clip == 0) return {u, 1};
  const double clip = loss.clip, p = std::exp(-u);
  return {-std::log(std::clamp(p, clip, 1 - clip)), p > clip && p < 1 - clip ? 1.0 : 0.0};
}

// 1 − p is taken from u; (−log p) / (1 − p) goes to 1 with p.
inline ClassTerm TermOfClass(const SoftmaxFocalLoss& loss, double u) {
  const double p = std::exp(-u), rest = -std::expm1(-u);
  const double modulation = std::pow(rest, static_cast<double>(loss.gamma));
  const double ratio = rest > 0 ? u / rest : 1;
  return {modulation * u, modulation * (1 + loss.gamma * p * ratio)};
}

// ---- Label by label, or value by value.

struct LabelTerm {
  double value;  // f
  double slope;  // df / dz
};

inline LabelTerm TermOfLabel(const SigmoidCrossEntropy& loss, double z, double t) {
  const double p = Sigmoid(z);
  if (loss.clip == 0) return {t * Softplus(-z) + (1 - t) * Softplus(z), p - t};
  const double clip = loss.clip, q = std::clamp(p, clip, 1 - clip);
  const bool inside = p > clip && p < 1 - clip;
  return {-t * std::log(q) - (1 - t) * std::log1p(-q), inside ? p - t : 0.0};
}

// (1 − p)^gamma (−log p) of the logit z. Of the other label it is the same at −z, where the slope
// has the other sign.
inline LabelTerm FocalTerm(double gamma, double z) {
  const double p = Sigmoid(z), rest = Sigmoid(-z), u = Softplus(-z);
  const double modulation = std::pow(rest, gamma);
  return {modulation * u, -modulation * (gamma * p * u + rest)};
}

inline LabelTerm TermOfLabel(const SigmoidFocalLoss& loss, double z, double t) {
  const LabelTerm one = FocalTerm(loss.gamma, z), zero = FocalTerm(loss.gamma, -z);
  const double a = loss.alpha * t, b = (1 - loss.alpha) * (1 - t);
  return {a * one.value + b * zero.value, a * one.slope - b * zero.slope};
}

// q^gamma (−log(1 − q)), q = max(p − margin, 0), of a label that does not apply.
inline LabelTerm ShiftedTerm(double gamma, double margin, double z) {
  if (margin == 0) {
    const LabelTerm term = FocalTerm(gamma, -z);
    return {term.value, -term.slope};
  }
  const double p = Sigmoid(z), q = p - margin;
  if (q <= 0) return {0, 0};
  const double v = -std::log1p(-q);
  const double dq = gamma * std::pow(q, gamma - 1) * v + std::pow(q, gamma) / (1 - q);
  return {std::pow(q, gamma) * v, dq * p * Sigmoid(-z)};
}

inline LabelTerm TermOfLabel(const AsymmetricLoss& loss, double z, double t) {
  const LabelTerm one = FocalTerm(loss.gamma_plus, z);
  const LabelTerm zero = ShiftedTerm(loss.gamma_minus, loss.margin, z);
  return {t * one.value + (1 - t) * zero.value, t * one.slope + (1 - t) * zero.slope};
}

inline LabelTerm TermOfLabel(const SoftHammingLoss&, double z, double t) {
  const double p = Sigmoid(z), rest = Sigmoid(-z);
  return {t * rest + (1 - t) * p, (1 - 2 * t) * p * rest};
}

inline LabelTerm TermOfError(const RegressionLoss& loss, double e) {
  const double size = std::abs(e), sign = (e > 0) - (e < 0);
  if (loss.deviation == Deviation::kSquared) return {e * e, 2 * e};
  if (loss.deviation == Deviation::kAbsolute) return {size, sign};
  if (size <= loss.delta) return {0.5 * e * e, e};
  return {loss.delta * (size - 0.5 * loss.delta), loss.delta * sign};
}

inline LabelTerm TermOfLabel(const RegressionLoss& loss, double z, double t) {
  if (!loss.sigmoid) return TermOfError(loss, z - t);
  const double p = Sigmoid(z);
  const LabelTerm term = TermOfError(loss, p - t);
  return {term.value, term.slope * p * Sigmoid(-z)};
}

// ---- Predictions and targets.

template <typename Op>
double Prediction(const Op&, double z) {
  return Sigmoid(z);
}
inline double Prediction(const RegressionLoss& loss, double z) {
  return loss.sigmoid ? Sigmoid(z) : z;
}

// t' of attrs.h.
template <typename Op>
double Smoothed(const Op& loss, double t, double classes) {
  return t + loss.label_smoothing * (1 / classes - t);
}
inline double Smoothed(const RegressionLoss&, double t, double) { return t; }

}  // namespace fovea::ops
