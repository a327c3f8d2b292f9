// Update rule and learning rate of a configuration.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// ---- The numbers of the rules: what they may be, and what they are when left out.

enum class Range { kFactor, kPositive, kNotNegative, kNotPositive };

struct Number {
  absl::string_view optimizer;  // fields of TrainingConfig and of its message
  absl::string_view field;
  Range range;
  double usual;
  absl::string_view reason = "the default";
};

constexpr absl::string_view kPaper = "as in the paper that defines the rule";
constexpr absl::string_view kNoStart = "nothing slows the first steps";
constexpr absl::string_view kOff = "off unless given";

constexpr Number kNumbers[] = {
    {"sgd", "momentum", Range::kFactor, 0.9},
    {"adam", "beta1", Range::kFactor, 0.9},
    {"adam", "beta2", Range::kFactor, 0.999},
    {"adam", "epsilon", Range::kPositive, 1e-8},
    {"adagrad", "initial_accumulator", Range::kNotNegative, 0, kNoStart},
    {"adagrad", "epsilon", Range::kPositive, 1e-10, "only keeps the quotient finite"},
    {"adagrad_da", "initial_accumulator", Range::kNotNegative, 0, kNoStart},
    {"adagrad_da", "l1", Range::kNotNegative, 0, kOff},
    {"adagrad_da", "l2", Range::kNotNegative, 0, kOff},
    {"adadelta", "rho", Range::kFactor, 0.95, kPaper},
    {"adadelta", "epsilon", Range::kPositive, 1e-6, kPaper},
    {"rms_prop", "decay", Range::kFactor, 0.9, kPaper},
    {"rms_prop", "momentum", Range::kFactor, 0, kPaper},
    {"rms_prop", "epsilon", Range::kPositive, 1e-8, "as for adam"},
    {"adam_w", "beta1", Range::kFactor, 0.9, kPaper},
    {"adam_w", "beta2", Range::kFactor, 0.999, kPaper},
    {"adam_w", "epsilon", Range::kPositive, 1e-8, kPaper},
    {"ftrl", "learning_rate_power", Range::kNotPositive, -0.5, kPaper},
    {"ftrl", "initial_accumulator", Range::kNotNegative, 0, kNoStart},
    {"ftrl", "beta", Range::kNotNegative, 0, kNoStart},
    {"ftrl", "l1", Range::kNotNegative, 0, kOff},
    {"ftrl", "l2", Range::kNotNegative, 0, kOff},
    {"ftrl", "l2_shrinkage", Range::kNotNegative, 0, kOff},
    {"proximal_gradient_descent", "l1", Range::kNotNegative, 0, kOff},
    {"proximal_gradient_descent", "l2", Range::kNotNegative, 0, kOff},
    {"proximal_adagrad", "initial_accumulator", Range::kNotNegative, 0, kNoStart},
    {"proximal_adagrad", "l1", Range::kNotNegative, 0, kOff},
    {"proximal_adagrad", "l2", Range::kNotNegative, 0, kOff},
    {"lion", "beta1", Range::kFactor, 0.9, kPaper},
    {"lion", "beta2", Range::kFactor, 0.99, kPaper},
};

// The field of the chosen optimizer.
const FieldDescriptor* ChosenOptimizer(const v1::TrainingConfig& config) {
  const auto* choice = v1::TrainingConfig::descriptor()->FindOneofByName("optimizer");
  return config.GetReflection()->GetOneofFieldDescriptor(config, choice);
}

const FieldDescriptor* FieldOf(const Message& message, absl::string_view name) {
  return message.GetDescriptor()->FindFieldByName(std::string(name));
}

std::string PathOf(const Number& number) {
  return absl::StrCat("optimizer.", number.optimizer, ".", number.field);
}

void FillNumbers(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  const FieldDescriptor* optimizer = ChosenOptimizer(config);
  Message& rule = *config.GetReflection()->MutableMessage(&config, optimizer);
  for (const Number& number : kNumbers) {
    if (number.optimizer != absl::string_view(optimizer->name())) continue;
    const FieldDescriptor* field = FieldOf(rule, number.field);
    if (rule.GetReflection()->HasField(rule, field)) continue;
    rule.GetReflection()->SetDouble(&rule, field, number.usual);
    fill.Chose(PathOf(number), number.usual, number.reason);
  }
}

void CheckNumber(ConfigCheck& check, const Number& number, double found) {
  const bool finite = std::abs(found) <= std::numeric_limits<float>::max();
  switch (number.range) {
    case Range::kFactor:
      return check.Range(PathOf(number), found, found >= 0 && found < 1, "a number in [0, 1)");
    case Range::kPositive:
      return check.Positive(PathOf(number), found);
    case Range::kNotNegative:
      return check.Range(PathOf(number), found, finite && found >= 0, "a finite number >= 0");
    case Range::kNotPositive:
      return check.Range(PathOf(number), found, finite && found <= 0, "a finite number <= 0");
  }
}

// ---- The learning rate.

struct Rate {
  absl::string_view optimizer;
  double rate;
  absl::string_view reason;
};

constexpr absl::string_view kAdaptive = "the length of a weight's first step, whatever the loss";

constexpr Rate kRates[] = {
    {"sgd", 0.05, "the default for sgd"},
    {"proximal_gradient_descent", 0.1, "the default for gradient descent without momentum"},
    {"adagrad", 0.01, kAdaptive},
    {"adagrad_da", 0.01, kAdaptive},
    {"proximal_adagrad", 0.01, kAdaptive},
    {"ftrl", 0.01, kAdaptive},
    {"adadelta", 1, "the rule of the paper, which finds the length of a step itself"},
    {"rms_prop", 0.001, "the default for rms_prop"},
    {"adam", 0.001, "the default for adam"},
    {"adam_w", 0.001, "the default for adam_w"},
    {"lion", 0.0001, "a tenth of adam's, since every step has the full length"},
};

// Steps in proportion to the gradient depend on the scale of the loss, and the multi-label loss is
// a mean over labels where the single-label one is a sum. The other rules divide the scale out.
bool DependsOnScale(const v1::TrainingConfig& config) {
  return config.has_sgd() || config.has_proximal_gradient_descent();
}

// Whether the net has no norm that would bear a large rate.
bool IsPlain(const v1::TrainingConfig& config) {
  if (config.has_net_text()) return config.net_text().find("_norm") == std::string::npos;
  return config.has_mlp() || config.net() == "lenet" || config.net() == "vgg11";
}

void FillLearningRate(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  const absl::string_view optimizer = ChosenOptimizer(config)->name();
  const auto* found = std::find_if(std::begin(kRates), std::end(kRates),
                                   [&](const Rate& rate) { return rate.optimizer == optimizer; });
  double rate = found->rate;
  std::string reason(found->reason);
  // Without batch norm a rate of 0.05 with momentum kills the ReLUs of these nets at once.
  if (config.has_sgd() && IsPlain(config)) {
    rate = 0.01;
    reason += " on a net without batch norm";
  } else if (DependsOnScale(config) && config.task() == v1::TASK_REGRESSION) {
    rate = 0.01;  // squared errors have no bound, as the gradient of cross-entropy has
    reason += " in a regression";
  }
  if (DependsOnScale(config) && fill.is_multi_label()) {
    rate *= static_cast<double>(std::min<size_t>(fill.data().labels.size(), 10));
    reason += ", times the labels (at most 10), whose losses are averaged";
  }
  config.set_learning_rate(rate);
  fill.Chose("learning_rate", rate, reason);
}

}  // namespace

void FillOptimizer(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.optimizer_case() == v1::TrainingConfig::OPTIMIZER_NOT_SET) {
    config.mutable_sgd();
    fill.Chose("optimizer", "sgd", "the default");
  }
  FillNumbers(fill);
  if (!config.has_learning_rate()) FillLearningRate(fill);
  if (config.has_adagrad_da() && config.schedule_case() == v1::TrainingConfig::SCHEDULE_NOT_SET) {
    config.mutable_constant();
    fill.Chose("schedule", "constant", "adagrad_da multiplies its whole path by the rate");
  }
}

void CheckOptimizer(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  const FieldDescriptor* optimizer = ChosenOptimizer(config);
  const Message& rule = config.GetReflection()->GetMessage(config, optimizer);
  for (const Number& number : kNumbers) {
    if (number.optimizer != absl::string_view(optimizer->name())) continue;
    CheckNumber(check, number, rule.GetReflection()->GetDouble(rule, FieldOf(rule, number.field)));
  }
  if (config.has_sgd() && config.sgd().nesterov() && config.sgd().momentum() == 0) {
    check.Wrong("optimizer.sgd.nesterov", "true with momentum 0", "a momentum > 0");
  }
  if (config.has_adagrad_da() && !config.has_constant()) {
    check.Violation("schedule",
                    "adagrad_da multiplies its whole path by the rate, expected constant");
  }
  check.Positive("learning_rate", config.learning_rate());
}

}  // namespace fovea
