#include "core/train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

float F(double value) { return static_cast<float>(value); }

Update RuleOf(const v1::TrainingConfig& config) {
  switch (config.optimizer_case()) {
    case v1::TrainingConfig::kAdam: {
      const v1::Adam& adam = config.adam();
      return Adam{F(adam.beta1()), F(adam.beta2()), F(adam.epsilon())};
    }
    case v1::TrainingConfig::kAdagrad:
      return Adagrad{F(config.adagrad().initial_accumulator()), F(config.adagrad().epsilon())};
    case v1::TrainingConfig::kAdagradDa: {
      const v1::AdagradDa& da = config.adagrad_da();
      return AdagradDa{F(da.initial_accumulator()), F(da.l1()), F(da.l2())};
    }
    case v1::TrainingConfig::kAdadelta:
      return Adadelta{F(config.adadelta().rho()), F(config.adadelta().epsilon())};
    case v1::TrainingConfig::kRmsProp: {
      const v1::RmsProp& rms = config.rms_prop();
      return RmsProp{F(rms.decay()), F(rms.momentum()), F(rms.epsilon()), rms.centered()};
    }
    case v1::TrainingConfig::kAdamW: {
      const v1::AdamW& adam = config.adam_w();
      return Adam{F(adam.beta1()), F(adam.beta2()), F(adam.epsilon())};
    }
    case v1::TrainingConfig::kFtrl: {
      const v1::Ftrl& ftrl = config.ftrl();
      return Ftrl{F(ftrl.learning_rate_power()),
                  F(ftrl.initial_accumulator()),
                  F(ftrl.beta()),
                  F(ftrl.l1()),
                  F(ftrl.l2()),
                  F(ftrl.l2_shrinkage())};
    }
    case v1::TrainingConfig::kProximalGradientDescent: {
      const v1::ProximalGradientDescent& proximal = config.proximal_gradient_descent();
      return ProximalGradientDescent{F(proximal.l1()), F(proximal.l2())};
    }
    case v1::TrainingConfig::kProximalAdagrad: {
      const v1::ProximalAdagrad& proximal = config.proximal_adagrad();
      return ProximalAdagrad{F(proximal.initial_accumulator()), F(proximal.l1()), F(proximal.l2())};
    }
    case v1::TrainingConfig::kLion:
      return Lion{F(config.lion().beta1()), F(config.lion().beta2())};
    case v1::TrainingConfig::kSgd:
    case v1::TrainingConfig::OPTIMIZER_NOT_SET:
      break;
  }
  return SgdMomentum{F(config.sgd().momentum()), config.sgd().nesterov()};
}

double Decay(double decay, int64_t n) {
  const auto updates = static_cast<double>(n);
  return std::min(decay, (1 + updates) / (10 + updates));
}

// d(0) ⋯ d(n). While the warm-up rules, i.e. (1 + i) / (10 + i) < decay, the product telescopes to
// 9! / ((n + 2) ⋯ (n + 10)); after that every factor is `decay`.
double DecayProduct(double decay, int64_t n) {
  const auto warm = static_cast<int64_t>(std::ceil((10 * decay - 1) / (1 - decay)));
  const int64_t rising = std::clamp<int64_t>(warm, 0, n + 1);  // factors of the warm-up
  double product = 1;
  for (int k = 1; k <= 9; ++k) product *= k / (static_cast<double>(rising) + k);
  return product * std::pow(decay, static_cast<double>(n + 1 - rising));
}

}  // namespace

Update UpdateOf(const v1::TrainingConfig& config) {
  Update update = RuleOf(config);
  UpdateTerms& terms = TermsOf(update);
  terms.weight_decay = F(config.weight_decay());
  terms.l1_decay = F(config.l1_decay());
  terms.decoupled_decay = F(config.decoupled_weight_decay());
  terms.clip_value = F(config.clip_value());
  return update;
}

double AverageWeight(const v1::WeightAverage& average, int64_t n) {
  const double rest = 1 - Decay(average.decay(), n);
  return average.zero_debias() ? rest / (1 - DecayProduct(average.decay(), n)) : rest;
}

}  // namespace fovea
