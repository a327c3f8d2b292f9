// The cases of elementwise ops, shapes and dropout.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

// ---- Elementwise.

const std::vector<std::pair<std::string, ActivationSpec>>& Activations() {
  static const auto* activations = new std::vector<std::pair<std::string, ActivationSpec>>{
      {"relu", {Activation::kRelu}},
      {"leaky_relu", {Activation::kLeakyRelu, 0.1f}},
      {"sigmoid", {Activation::kSigmoid}},
      {"tanh", {Activation::kTanh}},
      {"clip", {Activation::kClip, 0, 6}},
      {"elu", {Activation::kElu, 0.7f}},
      {"selu", {Activation::kSelu}},
      {"gelu", {Activation::kGelu}},
      {"silu", {Activation::kSilu}},
      {"hard_sigmoid", {Activation::kHardSigmoid, 1.0f / 6, 0.5f}},
      {"hard_swish", {Activation::kHardSwish}},
      {"softplus", {Activation::kSoftplus}},
  };
  return *activations;
}

void AddElementwise(std::vector<OpCase>& cases) {
  for (const auto& [name, activation] : Activations()) {
    const InputSpec image = {{2, 17, 5, 4}, InputKind::kDistinct, Role::kInput, 9};
    const InputSpec row = {{3, 30}, InputKind::kDistinct, Role::kInput, 3};
    OpCase op_case = {absl::StrCat("activate_", name), Activate{activation}, {image}};
    op_case.differentiable = {0};
    cases.push_back(op_case);
    op_case.name += "_dense";
    op_case.inputs = {row};
    cases.push_back(op_case);
    cases.push_back({absl::StrCat("activate_backward_", name),
                     ActivateBackward{activation},
                     {image, {image.dims}}});
    op_case = {absl::StrCat("add_", name), Add{activation}, {image, {image.dims}}};
    op_case.differentiable = {0, 1};
    cases.push_back(op_case);
  }
  OpCase add = {"add", Add{}, {{{2, 16, 5, 5}}, {{2, 16, 5, 5}}}};
  add.differentiable = {0, 1};
  cases.push_back(add);
  add.name = "add_dense";
  add.inputs = {{{3, 30}}, {{3, 30}}};
  cases.push_back(add);
}

// ---- Shapes.

void AddShapes(std::vector<OpCase>& cases) {
  const auto reshape = [&](const std::string& name, const Dims& x, const Dims& dims) {
    OpCase op_case = {absl::StrCat("reshape_", name), Reshape{dims}, {{x}}};
    op_case.differentiable = {0};
    cases.push_back(std::move(op_case));
  };
  reshape("flatten", {2, 17, 3, 5}, {0, -1});
  reshape("to_image", {2, 60}, {0, 3, 4, 5});
  reshape("concrete", {2, 6, 5}, {3, 4, -1});
  reshape("flatten_blocked_channels", {2, 16, 4, 4}, {0, -1});
  OpCase reorder = {"reorder_dense", Reorder{}, {{{2, 17, 3, 5}}}};
  reorder.differentiable = {0};
  cases.push_back(std::move(reorder));
  OpCase cast = {"cast_float", Cast{}, {{{2, 17, 3}}}};
  cast.differentiable = {0};
  cases.push_back(std::move(cast));
  cases.push_back({"cast_pixels", Cast{}, {{{2, 4, 5, 3}, InputKind::kPixels}}});
  cases.push_back({"fill", Fill{-2.5f}, {}});
  cases.push_back(
      {"normalize_grey", Normalize{}, {{{2, 7, 5, 1}, InputKind::kPixels}}, {0.5f, 0.25f}});
  cases.push_back({"normalize_colour",
                   Normalize{},
                   {{{3, 8, 8, 3}, InputKind::kPixels}},
                   {0.485f, 0.456f, 0.406f, 0.229f, 0.224f, 0.225f}});
}

void AddDropout(std::vector<OpCase>& cases) {
  const InputSpec seed = {{1}, InputKind::kInteger, Role::kInput, 1234};
  const InputSpec step = {{1}, InputKind::kInteger, Role::kInput, 7};
  for (const auto& [name, dropout] : std::vector<std::pair<std::string, Dropout>>{
           {"none", {0, 1}}, {"tenth", {0.1f, 2}}, {"half", {0.5f, 3}}, {"most", {0.9f, 4}}}) {
    OpCase op_case = {absl::StrCat("dropout_", name), dropout, {{{4, 50}}, seed, step}};
    op_case.differentiable = {0};
    cases.push_back(std::move(op_case));
  }
  OpCase image = {"dropout_image", Dropout{0.3f, 9}, {{{2, 17, 5, 5}}, seed, step}};
  image.differentiable = {0};
  cases.push_back(std::move(image));
  OpCase inference = {"dropout_inference", Dropout{0.5f, 1}, {{{4, 50}}}};
  inference.differentiable = {0};
  cases.push_back(std::move(inference));
}

}  // namespace

void AddSimpleCases(std::vector<OpCase>& cases) {
  AddElementwise(cases);
  AddShapes(cases);
  AddDropout(cases);
}

}  // namespace fovea
