// Every update rule against its definition, written anew from its paper for one weight in double.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/ops/update_run.h"

namespace fovea {
namespace {

using testing::UpdateRun;

constexpr int kSteps = 30;

// The weight after each step; the definition sees all gradients up to the step.
using Definition = std::function<double(double start, const std::vector<double>& gradients,
                                        const std::vector<double>& rates)>;

struct Case {
  std::string name;
  Update update;
  Definition definition;
  double start = 0.8;
  bool constant_rate = false;
};

double Square(double x) { return x * x; }

// argmin of c x + q (x − x0)² / 2 + l1 |x| + l2 x² / 2, by its three cases.
double Minimise(double c, double q, double x0, double l1, double l2) {
  const double right = (q * x0 - c - l1) / (q + l2);
  if (right > 0) return right;
  const double left = (q * x0 - c + l1) / (q + l2);
  return left < 0 ? left : 0;
}

// A rule that goes from weight to weight with a memory of its own: step(w, g, rate, t).
Definition Stepwise(
    const std::function<std::function<double(double, double, double, int)>()>& make) {
  return [make](double w, const std::vector<double>& gradients, const std::vector<double>& rates) {
    const auto step = make();
    for (size_t i = 0; i < gradients.size(); ++i) {
      w = step(w, gradients[i], rates[i], static_cast<int>(i) + 1);
    }
    return w;
  };
}

double SumOf(const std::vector<double>& values, const std::function<double(double)>& of) {
  double sum = 0;
  for (double value : values) sum += of(value);
  return sum;
}

// Σ over the past of (1 − β) β^age f(g).
double Decaying(double beta, const std::vector<double>& values,
                const std::function<double(double)>& of) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += (1 - beta) * std::pow(beta, static_cast<double>(values.size() - 1 - i)) * of(values[i]);
  }
  return sum;
}

// What a rule takes off the weight at each step, from all gradients up to it.
Definition Additive(const std::function<double(const std::vector<double>&)>& step) {
  return [step](double w, const std::vector<double>& gradients, const std::vector<double>& rates) {
    for (size_t i = 0; i < gradients.size(); ++i) {
      w -= rates[i] * step({gradients.begin(), gradients.begin() + static_cast<int64_t>(i) + 1});
    }
    return w;
  };
}

double Same(double x) { return x; }

std::vector<Case> AdditiveCases() {
  const auto momentum = [](const std::vector<double>& g) {
    double v = 0;
    for (size_t i = 0; i < g.size(); ++i) {
      v += std::pow(0.75, static_cast<double>(g.size() - 1 - i)) * g[i];
    }
    return v;
  };
  const auto adam = [](const std::vector<double>& g) {
    const auto t = static_cast<double>(g.size());
    const double m = Decaying(0.75, g, Same) / (1 - std::pow(0.75, t));
    const double v = Decaying(0.9375, g, Square) / (1 - std::pow(0.9375, t));
    return m / (std::sqrt(v) + 0.0078125);
  };
  const auto centered = [](const std::vector<double>& g) {
    return g.back() /
           (std::sqrt(Decaying(0.875, g, Square) - Square(Decaying(0.875, g, Same))) + 0.0078125);
  };
  return {
      {"gradient_descent", SgdMomentum{0},
       Additive([](const std::vector<double>& g) { return g.back(); })},
      {"momentum", SgdMomentum{0.75f}, Additive(momentum)},
      {"nesterov", SgdMomentum{0.75f, true},
       Additive([=](const std::vector<double>& g) { return g.back() + 0.75 * momentum(g); })},
      {"adam", Adam{0.75f, 0.9375f, 0.0078125f}, Additive(adam)},
      {"adagrad", Adagrad{0.125f, 0.0078125f}, Additive([](const std::vector<double>& g) {
         return g.back() / (std::sqrt(0.125 + SumOf(g, Square)) + 0.0078125);
       })},
      {"rms_prop", RmsProp{0.875f, 0, 0.0078125f}, Additive([](const std::vector<double>& g) {
         return g.back() / (std::sqrt(Decaying(0.875, g, Square)) + 0.0078125);
       })},
      {"rms_prop_centered", RmsProp{0.875f, 0, 0.0078125f, true}, Additive(centered)},
      {"rms_prop_centered_momentum", RmsProp{0.875f, 0.5f, 0.0078125f, true},
       Additive([=](const std::vector<double>& g) {
         double b = 0;
         for (size_t i = 1; i <= g.size(); ++i) {
           b = 0.5 * b + centered({g.begin(), g.begin() + static_cast<int64_t>(i)});
         }
         return b;
       })},
      {"lion", Lion{0.75f, 0.9375f}, Additive([](const std::vector<double>& g) {
         const std::vector<double> before(g.begin(), g.end() - 1);
         const double c = 0.75 * Decaying(0.9375, before, Same) + 0.25 * g.back();
         return c > 0 ? 1.0 : -1.0;
       })},
  };
}

std::vector<Case> ProximalCases() {
  const auto sum = [](const std::vector<double>& g) { return SumOf(g, Same); };
  const auto root = [](double start, const std::vector<double>& g) {
    return std::sqrt(start + SumOf(g, Square));
  };
  // Duchi, Hazan and Singer: the minimiser over the whole past, around `start`.
  const auto dual_averaging = [=](double l1, double l2) -> Definition {
    return [=](double start, const std::vector<double>& g, const std::vector<double>& rates) {
      const double rate = rates.back(), t = static_cast<double>(g.size());
      return Minimise(rate * sum(g), root(0.125, g), start, rate * t * l1, rate * t * l2);
    };
  };
  // McMahan et al., algorithm 1: z and the learning rates as the paper has them, from weight 0.
  const auto ftrl = [](double power, double beta, double l1, double l2, double shrinkage) {
    return Stepwise([=] {
      return [=, z = 0.0, n = 0.125](double w, double g, double rate, int) mutable {
        const auto inverse_rate = [&](double squares) {
          return (beta + std::pow(squares, -power)) / rate;
        };
        const double sigma = inverse_rate(n + g * g) - inverse_rate(n);
        z += g + 2 * shrinkage * w - sigma * w;
        n += g * g;
        if (std::abs(z) <= l1) return 0.0;
        return -(z - std::copysign(l1, z)) / (inverse_rate(n) + 2 * l2);
      };
    });
  };
  const Definition adagrad =
      Additive([=](const std::vector<double>& g) { return g.back() / root(0.125, g); });
  return {
      {"adagrad_da_from_zero", AdagradDa{0.125f, 0.25f, 0.5f}, dual_averaging(0.25, 0.5), 0, true},
      {"adagrad_da_from_the_start", AdagradDa{0.125f}, dual_averaging(0, 0), 0.8, true},
      {"adagrad_da_l1_l2", AdagradDa{0.125f, 0.0625f, 0.125f}, dual_averaging(0.0625, 0.125), 0.8,
       true},
      {"ftrl_from_zero", Ftrl{-0.5f, 0.125f, 1, 0.5f, 0.25f, 0.125f},
       ftrl(-0.5, 1, 0.5, 0.25, 0.125), 0, true},
      {"ftrl_power_from_zero", Ftrl{-0.75f, 0.125f, 0, 0.25f, 0.125f, 0},
       ftrl(-0.75, 0, 0.25, 0.125, 0), 0, true},
      // What makes it fit for nets: weights that start elsewhere, and a rate that changes.
      {"ftrl_without_l1_and_l2_is_adagrad", Ftrl{-0.5f, 0.125f}, adagrad},
      {"proximal_gradient_descent", ProximalGradientDescent{0.25f, 0.5f}, Stepwise([] {
         return [](double w, double g, double rate, int) {
           return Minimise(0, 1, w - rate * g, rate * 0.25, rate * 0.5);
         };
       })},
      {"proximal_adagrad", ProximalAdagrad{0.125f, 0.25f, 0.5f}, Stepwise([] {
         return [squares = 0.125](double w, double g, double rate, int) mutable {
           squares += g * g;
           const double own = rate / std::sqrt(squares);
           return Minimise(0, 1, w - own * g, own * 0.25, own * 0.5);
         };
       })},
      {"adadelta", Adadelta{0.875f, 0.0078125f}, Stepwise([] {
         return [v = 0.0, u = 0.0](double w, double g, double rate, int) mutable {
           const double rms_of_updates = std::sqrt(u + 0.0078125);
           v = 0.875 * v + 0.125 * g * g;
           const double step = rms_of_updates / std::sqrt(v + 0.0078125) * g;
           u = 0.875 * u + 0.125 * step * step;
           return w - rate * step;
         };
       })},
  };
}

class UpdateDefinition : public ::testing::TestWithParam<Case> {};

TEST_P(UpdateDefinition, IsFollowedAtEveryStep) {
  const Case& c = GetParam();
  Random random(5);
  std::vector<double> gradients, rates;
  UpdateRun run(c.update, {c.start});
  double smallest = 1;
  for (int step = 0; step < kSteps; ++step) {
    gradients.push_back(2 * random.Uniform() - 1 + 0.3 * std::sin(step));
    rates.push_back(c.constant_rate ? 0.25 : 0.25 / (1 + 0.1 * step));
    run.Step({gradients.back()}, rates.back());
    const double expected = c.definition(c.start, gradients, rates);
    ASSERT_NEAR(run.weights()[0], expected, 1e-12) << "step " << step;
    smallest = std::min(smallest, std::abs(expected));
  }
  // Where an l1 is at work it made a weight 0, not merely small.
  const bool sparse =
      c.name.find("from_zero") != std::string::npos || c.name.find("proximal") != std::string::npos;
  if (sparse) {
    EXPECT_EQ(smallest, 0);
  }
}

std::vector<Case> AllCases() {
  std::vector<Case> cases = AdditiveCases();
  for (Case& c : ProximalCases()) cases.push_back(std::move(c));
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, UpdateDefinition, ::testing::ValuesIn(AllCases()),
                         [](const auto& info) { return info.param.name; });

// ---- What goes with every rule.

TEST(UpdateTerms, ClipThenScaleThenDecayAndLeaveTheRestAlone) {
  UpdateTerms terms = {.weight_decay = 0.5f,
                       .l1_decay = 0.25f,
                       .decoupled_decay = 0.125f,
                       .clip_value = 2,
                       .decayed = 2};
  UpdateRun run(SgdMomentum{0, false, terms}, {4, -4, 4});
  run.Step({8, -8, -1}, /*rate=*/0.5, /*scale=*/0.25);
  // g = 2 · 0.25 + 0.5 · 4 + 0.25 = 2.75;  4 − 0.5 · 2.75 − 0.5 · 0.125 · 4 = 2.375.
  EXPECT_THAT(run.weights(), ::testing::ElementsAre(2.375, -2.375, 4.125));
}

TEST(UpdateTerms, MakeAdamWOfAdam) {
  // Loshchilov and Hutter 2019, algorithm 2: the decay does not enter the moments.
  UpdateRun plain(Adam{}, {2}), decayed(Adam{0.9f, 0.999f, 1e-8f, {.decoupled_decay = 0.25f}}, {2});
  double w = 2;
  for (const double g : {1.0, -0.5, 2.0}) {
    const double before = plain.weights()[0];
    plain.Step({g}, 0.125);
    decayed.Step({g}, 0.125);
    w += plain.weights()[0] - before - 0.125 * 0.25 * w;
    EXPECT_NEAR(decayed.weights()[0], w, 1e-12);
  }
  EXPECT_EQ(plain.slot(1), decayed.slot(1));
}

TEST(UpdateRules, KeepTheWeightWhoseGradientIsZero) {
  for (const Update& update :
       std::vector<Update>{SgdMomentum{}, Adam{}, Adagrad{}, AdagradDa{}, Adadelta{},
                           RmsProp{0.9f, 0.9f, 1e-8f, true}, Ftrl{}, ProximalGradientDescent{},
                           ProximalAdagrad{}, Lion{}}) {
    UpdateRun run(update, {0.5, 0});
    for (int step = 0; step < 3; ++step) run.Step({0, 0}, 0.1);
    EXPECT_THAT(run.weights(), ::testing::ElementsAre(0.5, 0)) << update.index();
  }
}

TEST(UpdateRules, ShowAGradientThatIsNotFinite) {
  for (const Update& update : std::vector<Update>{
           SgdMomentum{}, Adam{}, Adagrad{}, AdagradDa{0, 0.1f, 0.1f}, Adadelta{},
           RmsProp{0.9f, 0.9f, 1e-8f, true}, Ftrl{-0.5f, 0, 0, 0.1f, 0.1f},
           ProximalGradientDescent{0.1f, 0.1f}, ProximalAdagrad{0, 0.1f, 0.1f}, Lion{}}) {
    UpdateRun run(update, {0.5});
    run.Step({std::nan("")}, 0.1);
    EXPECT_TRUE(std::isnan(run.weights()[0])) << update.index();
  }
}

}  // namespace
}  // namespace fovea
