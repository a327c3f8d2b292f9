// The cases of softmax, of the losses and of what stands before them.
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

struct LossCase {
  std::string name;
  Dims logits;
  InputKind targets;
  InputKind weights = InputKind::kPositive;
  double scale = 3;  // of the logits
  std::vector<float> class_weights = {};
};

void AddLoss(std::vector<OpCase>& cases, const std::string& op, Attrs attrs, const LossCase& loss) {
  OpCase result;
  result.name = absl::StrCat(op, "_", loss.name);
  result.attrs = attrs;
  result.inputs = {{loss.logits, InputKind::kUniform, Role::kInput, loss.scale},
                   {loss.logits, loss.targets},
                   {{loss.logits[0]}, loss.weights}};
  result.constants = loss.class_weights;
  result.differentiable = {0};
  cases.push_back(std::move(result));
}

const std::vector<float>& FourWeights() {
  static const auto* weights = new std::vector<float>{0.5f, 1, 2, 0};
  return *weights;
}

void AddOverDistribution(std::vector<OpCase>& cases) {
  const std::vector<LossCase> losses = {
      {"one_hot", {6, 10}, InputKind::kOneHot},
      {"soft_targets", {5, 7}, InputKind::kDistribution},
      {"unweighted_example", {5, 7}, InputKind::kOneHot, InputKind::kSparse},
      {"class_weights", {8, 4}, InputKind::kOneHot, InputKind::kPositive, 3, FourWeights()},
      {"soft_class_weights",
       {8, 4},
       InputKind::kDistribution,
       InputKind::kSparse,
       3,
       FourWeights()},
      {"no_weight_at_all", {3, 4}, InputKind::kOneHot, InputKind::kZero},
      {"large_logits", {4, 10}, InputKind::kOneHot, InputKind::kPositive, 200}};
  for (const auto& [name, attrs] : std::vector<std::pair<std::string, Attrs>>{
           {"softmax_cross_entropy", SoftmaxCrossEntropy{}},
           {"softmax_cross_entropy_smoothed", SoftmaxCrossEntropy{0.1f}},
           {"softmax_cross_entropy_clipped", SoftmaxCrossEntropy{0, 0.05f}},
           {"softmax_cross_entropy_smoothed_clipped", SoftmaxCrossEntropy{0.2f, 0.01f}},
           {"softmax_focal_loss", SoftmaxFocalLoss{}},
           {"softmax_focal_loss_gamma0", SoftmaxFocalLoss{0, 0}},
           {"softmax_focal_loss_root", SoftmaxFocalLoss{0.1f, 0.5f}}}) {
    for (const LossCase& loss : losses) AddLoss(cases, name, attrs, loss);
  }
}

void AddByLabel(std::vector<OpCase>& cases) {
  const std::vector<LossCase> losses = {
      {"indicators", {6, 10}, InputKind::kIndicators},
      {"soft_targets", {5, 7}, InputKind::kDistribution},
      {"unweighted_example", {5, 7}, InputKind::kIndicators, InputKind::kSparse},
      {"label_weights", {8, 4}, InputKind::kIndicators, InputKind::kPositive, 3, FourWeights()},
      {"unknown_labels", {8, 4}, InputKind::kPartlyKnown, InputKind::kSparse, 3, FourWeights()},
      {"no_weight_at_all", {3, 4}, InputKind::kIndicators, InputKind::kZero},
      {"one_label", {7, 1}, InputKind::kIndicators},
      {"large_logits", {4, 10}, InputKind::kIndicators, InputKind::kPositive, 200}};
  for (const auto& [name, attrs] : std::vector<std::pair<std::string, Attrs>>{
           {"sigmoid_cross_entropy", SigmoidCrossEntropy{}},
           {"sigmoid_cross_entropy_smoothed", SigmoidCrossEntropy{0.1f}},
           {"sigmoid_cross_entropy_clipped", SigmoidCrossEntropy{0, 0.05f}},
           {"sigmoid_focal_loss", SigmoidFocalLoss{}},
           {"sigmoid_focal_loss_root", SigmoidFocalLoss{0.1f, 0.5f, 0.75f}},
           {"asymmetric_loss", AsymmetricLoss{}},
           {"asymmetric_loss_without_margin", AsymmetricLoss{0.1f, 1, 2, 0}},
           {"asymmetric_loss_wide_margin", AsymmetricLoss{0, 0.5f, 0.5f, 0.4f}},
           {"soft_hamming_loss", SoftHammingLoss{}},
           {"soft_hamming_loss_smoothed", SoftHammingLoss{0.2f}}}) {
    for (const LossCase& loss : losses) AddLoss(cases, name, attrs, loss);
  }
}

void AddRegression(std::vector<OpCase>& cases) {
  const std::vector<LossCase> losses = {
      {"values", {6, 3}, InputKind::kUniform},
      {"one_value", {7, 1}, InputKind::kPositive},
      {"value_weights", {8, 4}, InputKind::kUniform, InputKind::kSparse, 3, FourWeights()},
      {"unknown_values", {8, 4}, InputKind::kPartlyKnown},
      {"no_weight_at_all", {3, 4}, InputKind::kUniform, InputKind::kZero}};
  for (const bool sigmoid : {false, true}) {
    for (const auto& [name, deviation] :
         std::vector<std::pair<std::string, Deviation>>{{"squared", Deviation::kSquared},
                                                        {"absolute", Deviation::kAbsolute},
                                                        {"huber", Deviation::kHuber}}) {
      for (const LossCase& loss : losses) {
        AddLoss(cases, absl::StrCat("regression_loss_", name, sigmoid ? "_sigmoid" : ""),
                RegressionLoss{deviation, 0.25f, sigmoid}, loss);
      }
    }
  }
}

void AddBackward(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Loss forward, InputKind targets) {
    cases.push_back({absl::StrCat("loss_backward_", name),
                     LossBackward{forward},
                     {{{5, 4}, InputKind::kUniform, Role::kInput, 3},
                      {{5, 4}, targets},
                      {{5}, InputKind::kPositive},
                      {{1}, InputKind::kPositive}},
                     FourWeights()});
  };
  add("softmax_cross_entropy", SoftmaxCrossEntropy{}, InputKind::kOneHot);
  add("softmax_focal", SoftmaxFocalLoss{}, InputKind::kOneHot);
  add("sigmoid_cross_entropy", SigmoidCrossEntropy{}, InputKind::kIndicators);
  add("asymmetric", AsymmetricLoss{}, InputKind::kPartlyKnown);
}

void AddPairs(std::vector<OpCase>& cases) {
  for (const auto& [name, dims] :
       std::vector<std::pair<std::string, Dims>>{{"one_label", {3, 2}}, {"labels", {5, 34}}}) {
    OpCase pair = {absl::StrCat("pair_difference_", name), PairDifference{}, {{dims}}};
    pair.differentiable = {0};
    cases.push_back(std::move(pair));
  }
}

}  // namespace

void AddLossCases(std::vector<OpCase>& cases) {
  for (const auto& [name, dims, scale] :
       std::vector<std::tuple<std::string, Dims, double>>{{"ten", {4, 10}, 3},
                                                          {"odd", {3, 17}, 5},
                                                          {"one_class", {2, 1}, 1},
                                                          {"large_logits", {3, 10}, 500}}) {
    cases.push_back({absl::StrCat("softmax_", name),
                     Softmax{},
                     {{dims, InputKind::kUniform, Role::kInput, scale}}});
  }
  AddOverDistribution(cases);
  AddByLabel(cases);
  AddRegression(cases);
  AddBackward(cases);
  AddPairs(cases);
}

}  // namespace fovea
