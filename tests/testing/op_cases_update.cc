// The cases of parameter updates and of what stands around them.
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

constexpr int64_t kRegion = 96;
constexpr int64_t kLargeRegion = 3 * 4096 + 48;  // several threads' work

// How an update's case is filled beside its attributes.
struct UpdateInputs {
  std::vector<InputSpec> slots = {};  // kind and scale
  int64_t step = 3;
  int64_t region = kRegion;
  InputKind parameters = InputKind::kUniform;
  std::vector<float> rate_factors = {};  // as core/ops/rate_segments.h has them
};

const InputSpec kAny = {};
const InputSpec kSquares = {{}, InputKind::kPositive};
const InputSpec kSmall = {{}, InputKind::kUniform, Role::kSlot, 0.5};

template <typename Rule>
void AddUpdate(std::vector<OpCase>& cases, std::string name, const Rule& rule,
               const UpdateInputs& given) {
  OpCase result;
  result.name = std::move(name);
  result.attrs = rule;
  result.constants = given.rate_factors;
  result.inputs = {{{given.region}, given.parameters, Role::kParameter}, {{given.region}}};
  result.overwrites = {0};
  for (InputSpec slot : given.slots) {
    slot.dims = {given.region};
    slot.role = Role::kSlot;
    result.overwrites.push_back(static_cast<int>(result.inputs.size()));
    result.inputs.push_back(slot);
  }
  result.inputs.push_back({{1}, InputKind::kPositive, Role::kInput, 0.1});
  if (Rule::kReadsStep) {
    result.inputs.push_back(
        {{1}, InputKind::kInteger, Role::kInput, static_cast<double>(given.step)});
  }
  if (rule.terms.scaled) result.inputs.push_back({{1}, InputKind::kPositive, Role::kInput, 0.5});
  cases.push_back(std::move(result));
}

// Everything at once, for half of the elements.
UpdateTerms AllTerms() {
  return {.weight_decay = 0.01f,
          .l1_decay = 0.02f,
          .decoupled_decay = 0.3f,
          .clip_value = 0.7f,
          .scaled = true,
          .decayed = 48};
}

UpdateTerms Decay(float weight_decay, int64_t decayed) {
  return {.weight_decay = weight_decay, .decayed = decayed};
}

// The first half only, for rules with an l1 and l2 of their own.
UpdateTerms Half() { return Decay(0, 48); }

void AddMomentumCases(std::vector<OpCase>& cases) {
  AddUpdate(cases, "sgd_momentum", SgdMomentum{0.9f}, {{kAny}});
  AddUpdate(cases, "sgd_without_momentum", SgdMomentum{0}, {{kAny}});
  AddUpdate(cases, "sgd_nesterov", SgdMomentum{0.9f, true}, {{kAny}});
  AddUpdate(cases, "sgd_weight_decay", SgdMomentum{0.9f, false, Decay(0.01f, 48)}, {{kAny}});
  AddUpdate(cases, "sgd_nesterov_weight_decay", SgdMomentum{0.9f, true, Decay(0.1f, kRegion)},
            {{kAny}});
  AddUpdate(cases, "sgd_all_terms", SgdMomentum{0.9f, false, AllTerms()}, {{kAny}});
  UpdateTerms terms = AllTerms();
  terms.decayed = 5000;
  UpdateInputs large = {{kAny}};
  large.region = kLargeRegion;
  AddUpdate(cases, "sgd_all_terms_large", SgdMomentum{0.9f, true, terms}, large);
  UpdateInputs factors = {{kAny}};
  factors.rate_factors = {2, 0.5f, 5, 3, 6, 1};
  AddUpdate(cases, "sgd_rate_factors", SgdMomentum{0.9f, false, AllTerms()}, factors);
  large.rate_factors = {1, 0.5f, 700, 2, 3 * 256 + 3, 0.25f};
  AddUpdate(cases, "sgd_rate_factors_large", SgdMomentum{0.9f, true, terms}, large);
  AddUpdate(cases, "lion", Lion{}, {{kAny}});
  AddUpdate(cases, "lion_all_terms", Lion{0.95f, 0.98f, AllTerms()}, {{kAny}});
}

void AddAdaptiveCases(std::vector<OpCase>& cases) {
  AddUpdate(cases, "adam_first_step", Adam{}, {{kAny, kSquares}, 0});
  AddUpdate(cases, "adam_second_step", Adam{}, {{kAny, kSquares}, 1});
  AddUpdate(cases, "adam_late_step", Adam{}, {{kAny, kSquares}, 100000});
  AddUpdate(cases, "adam_weight_decay", Adam{0.9f, 0.99f, 1e-6f, Decay(0.01f, 48)},
            {{kAny, kSquares}, 10});
  AddUpdate(cases, "adam_all_terms", Adam{0.9f, 0.99f, 1e-6f, AllTerms()}, {{kAny, kSquares}, 10});
  UpdateInputs factors = {{kAny, kSquares}, 10};
  factors.rate_factors = {2, 0.5f, 6, 3};
  AddUpdate(cases, "adam_rate_factors", Adam{0.9f, 0.99f, 1e-6f, AllTerms()}, factors);
  AddUpdate(cases, "adagrad", Adagrad{}, {{kSquares}});
  AddUpdate(cases, "adagrad_all_terms", Adagrad{0.1f, 1e-6f, AllTerms()}, {{kSquares}});
  AddUpdate(cases, "adadelta", Adadelta{}, {{kSquares, kSquares}});
  AddUpdate(cases, "adadelta_all_terms", Adadelta{0.9f, 1e-3f, AllTerms()}, {{kSquares, kSquares}});
  AddUpdate(cases, "rms_prop", RmsProp{}, {{kSquares}});
  AddUpdate(cases, "rms_prop_centered", RmsProp{0.9f, 0, 1e-8f, true}, {{kSquares, kSmall}});
  AddUpdate(cases, "rms_prop_momentum", RmsProp{0.9f, 0.8f}, {{kSquares, kAny, kAny}});
  AddUpdate(cases, "rms_prop_all_terms", RmsProp{0.95f, 0.8f, 1e-3f, true, AllTerms()},
            {{kSquares, kSmall, kAny}});
}

void AddProximalCases(std::vector<OpCase>& cases) {
  AddUpdate(cases, "adagrad_da", AdagradDa{}, {{kSquares, kAny, kAny}});
  AddUpdate(cases, "adagrad_da_l1_l2", AdagradDa{0.1f, 0.2f, 0.3f, Half()},
            {{kSquares, kAny, kAny}});
  AddUpdate(cases, "adagrad_da_all_terms", AdagradDa{0.1f, 0.2f, 0.3f, AllTerms()},
            {{kSquares, kAny, kAny}});
  AddUpdate(cases, "ftrl", Ftrl{}, {{kSquares, kAny}});
  AddUpdate(cases, "ftrl_l1_l2", Ftrl{-0.5f, 0.1f, 1, 2, 0.3f, 0.1f, Half()}, {{kSquares, kAny}});
  UpdateInputs zeros = {{kSquares, kAny}};
  zeros.parameters = InputKind::kZero;
  AddUpdate(cases, "ftrl_at_zero", Ftrl{-0.5f, 0.1f, 0, 0.5f, 0.3f, 0.1f, Half()}, zeros);
  AddUpdate(cases, "ftrl_power", Ftrl{-0.7f, 0.1f, 0, 0.2f, 0.1f, 0, AllTerms()},
            {{kSquares, kAny}});
  AddUpdate(cases, "proximal_gradient_descent", ProximalGradientDescent{0.5f, 0.3f, Half()}, {});
  AddUpdate(cases, "proximal_gradient_descent_all_terms",
            ProximalGradientDescent{0.5f, 0.3f, AllTerms()}, {});
  AddUpdate(cases, "proximal_adagrad", ProximalAdagrad{0.1f, 0.5f, 0.3f, Half()}, {{kSquares}});
  AddUpdate(cases, "proximal_adagrad_all_terms", ProximalAdagrad{0, 0.5f, 0.3f, AllTerms()},
            {{kSquares}});
}

void AddSupportCases(std::vector<OpCase>& cases) {
  const auto norm = [&](const std::string& name, const NormScale& op, int64_t count) {
    cases.push_back({"norm_scale_" + name, op, {{{count}}}});
  };
  norm("clips", {1, 0}, kRegion);
  norm("leaves", {100, 0}, kRegion);
  norm("after_values", {1, 0.25f}, kRegion);
  norm("values_suffice", {5, 0.25f}, kRegion);
  norm("odd", {0.5f, 0}, 37);
  norm("large", {2, 0.5f}, 100003);
  for (const int64_t step : {0, 4, 6}) {
    OpCase sum = {"sum_gradients_" + std::to_string(step),
                  SumGradients{3},
                  {{{kRegion}},
                   {{kRegion}, InputKind::kUniform, Role::kInput},
                   {{1}, InputKind::kInteger, Role::kInput, static_cast<double>(step)}}};
    cases.push_back(std::move(sum));
  }
  cases.push_back({"moving_average",
                   MovingAverage{},
                   {{{kRegion}}, {{kRegion}}, {{1}, InputKind::kPositive, Role::kInput, 0.1}}});
  cases.push_back(
      {"moving_average_large",
       MovingAverage{},
       {{{kLargeRegion}}, {{kLargeRegion}}, {{1}, InputKind::kPositive, Role::kInput, 0.5}}});
}

}  // namespace

void AddUpdateCases(std::vector<OpCase>& cases) {
  AddMomentumCases(cases);
  AddAdaptiveCases(cases);
  AddProximalCases(cases);
  AddSupportCases(cases);
}

}  // namespace fovea
