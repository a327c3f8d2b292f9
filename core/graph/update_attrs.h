// The attribute structs of what happens between gradients and parameters: one struct per update
// rule, and the three ops around them.
//
// An update rule is an op over whole regions of one float type. Its inputs are
//   parameters, gradients, the slots (slots() of them, each as large as the parameters),
//   learning rate [1], step i64 [1] counted from 0 (when kReadsStep), scale [1] (when scaled);
// its outputs, overwritten, are the parameters and the slots. With p the parameter as it was:
//   g = clip(gradient, ± clip_value) · scale + weight_decay · p + l1_decay · sign(p)
//   p ← rule(p, g) − rate · decoupled_decay · p
// The node's constants, when there are some, multiply the rate part by part
// (core/ops/rate_segments.h). The formulas of the rules, with their sources, stand in
// core/ops/update_rules_c.h. A slot that does not start at zero is slot 0, which starts at
// `initial_accumulator`; slot 2 of AdagradDa starts as the parameters.
#pragma once

#include <cstdint>
#include <variant>

namespace fovea {

// What every rule does beside its formula. The decays, and the l1 and l2 of a rule's own, apply
// to the first `decayed` elements only: to the weights of rank ≥ 2.
struct UpdateTerms {
  float weight_decay = 0;
  float l1_decay = 0;
  float decoupled_decay = 0;
  float clip_value = 0;  // 0: none
  bool scaled = false;   // the input `scale` is there
  int64_t decayed = 0;
  bool operator==(const UpdateTerms&) const = default;
};

// Gradient descent with momentum; without it when momentum is 0. Slot: velocity.
struct SgdMomentum {
  float momentum = 0.9f;
  bool nesterov = false;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 1; }
  bool operator==(const SgdMomentum&) const = default;
};
// Slots: first and second moment. With terms.decoupled_decay it is AdamW.
struct Adam {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = true;
  constexpr int slots() const { return 2; }
  bool operator==(const Adam&) const = default;
};
// Slot: sum of squares.
struct Adagrad {
  float initial_accumulator = 0;
  float epsilon = 1e-10f;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 1; }
  bool operator==(const Adagrad&) const = default;
};
// Adagrad by dual averaging. Slots: sum of squares, sum, start.
struct AdagradDa {
  float initial_accumulator = 0;
  float l1 = 0;
  float l2 = 0;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = true;
  constexpr int slots() const { return 3; }
  bool operator==(const AdagradDa&) const = default;
};
// Slots: mean square of gradients, and of updates.
struct Adadelta {
  float rho = 0.95f;
  float epsilon = 1e-6f;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 2; }
  bool operator==(const Adadelta&) const = default;
};
// Slots: mean square; mean (read when centered); velocity (read with momentum).
struct RmsProp {
  float decay = 0.9f;
  float momentum = 0;
  float epsilon = 1e-8f;
  bool centered = false;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return momentum != 0 ? 3 : centered ? 2 : 1; }
  bool operator==(const RmsProp&) const = default;
};
// Follow the regularised leader, proximal. Slots: sum of squares, z.
struct Ftrl {
  float learning_rate_power = -0.5f;
  float initial_accumulator = 0;
  float beta = 0;
  float l1 = 0;
  float l2 = 0;
  float l2_shrinkage = 0;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 2; }
  bool operator==(const Ftrl&) const = default;
};
// No slot.
struct ProximalGradientDescent {
  float l1 = 0;
  float l2 = 0;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 0; }
  bool operator==(const ProximalGradientDescent&) const = default;
};
// Slot: sum of squares.
struct ProximalAdagrad {
  float initial_accumulator = 0;
  float l1 = 0;
  float l2 = 0;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 1; }
  bool operator==(const ProximalAdagrad&) const = default;
};
// Slot: momentum.
struct Lion {
  float beta1 = 0.9f;
  float beta2 = 0.99f;
  UpdateTerms terms = {};
  static constexpr bool kReadsStep = false;
  constexpr int slots() const { return 1; }
  bool operator==(const Lion&) const = default;
};

// input gradients [P]; output scale [1] = max_norm / max(norm, max_norm), where norm is the L2 norm
// of clip(gradients, ± clip_value); clip_value 0 stands for no clipping. Source: Pascanu, Mikolov
// and Bengio 2013, algorithm 1.
struct NormScale {
  float max_norm = 1;
  float clip_value = 0;
  bool operator==(const NormScale&) const = default;
};
// inputs gradients, sum (of one type), step i64 [1], the number of batches before this one; output
// sum, overwritten ← (step mod count = 0 ? 0 : sum) + gradients / count: after `count` batches it
// is their mean.
struct SumGradients {
  int32_t count = 1;
  bool operator==(const SumGradients&) const = default;
};
// inputs values, average (of one type), weight [1]; output average, overwritten
// ← average + weight · (values − average).
struct MovingAverage {
  bool operator==(const MovingAverage&) const = default;
};

using Update = std::variant<SgdMomentum, Adam, Adagrad, AdagradDa, Adadelta, RmsProp, Ftrl,
                            ProximalGradientDescent, ProximalAdagrad, Lion>;

// How many slot regions an update rule needs.
inline int SlotCount(const Update& update) {
  return std::visit([](const auto& rule) { return rule.slots(); }, update);
}

inline bool ReadsStep(const Update& update) {
  return std::visit([](const auto& rule) { return rule.kReadsStep; }, update);
}

// What a slot holds before the first step: the parameters, or one value everywhere.
struct SlotStart {
  bool parameters = false;
  float value = 0;
};
inline SlotStart SlotStartOf(const Update& update, int slot) {
  return std::visit(
      [slot](const auto& rule) -> SlotStart {
        if constexpr (requires { rule.initial_accumulator; }) {
          if (slot == 0) return {false, rule.initial_accumulator};
        }
        return {std::holds_alternative<AdagradDa>(Update(rule)) && slot == 2, 0};
      },
      update);
}

inline UpdateTerms& TermsOf(Update& update) {
  return std::visit([](auto& rule) -> UpdateTerms& { return rule.terms; }, update);
}
inline const UpdateTerms& TermsOf(const Update& update) {
  return std::visit([](const auto& rule) -> const UpdateTerms& { return rule.terms; }, update);
}

}  // namespace fovea
