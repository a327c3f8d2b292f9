// The cases of elementwise ops, shapes, dropout and updates.
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
      {"relu", {Activation::kRelu}},       {"leaky_relu", {Activation::kLeakyRelu, 0.1f}},
      {"sigmoid", {Activation::kSigmoid}}, {"tanh", {Activation::kTanh}},
      {"clip", {Activation::kClip, 0, 6}},
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

// ---- Updates.

constexpr int64_t kRegion = 96;

void AddUpdate(std::vector<OpCase>& cases, std::string name, Attrs attrs, int slots, int step) {
  OpCase result;
  result.name = std::move(name);
  result.attrs = attrs;
  result.inputs = {{{kRegion}, InputKind::kUniform, Role::kParameter}, {{kRegion}}};
  result.overwrites = {0};
  for (int slot = 0; slot < slots; ++slot) {
    // Adam's second moment is positive.
    const InputKind kind = slot == 0 ? InputKind::kUniform : InputKind::kPositive;
    result.overwrites.push_back(static_cast<int>(result.inputs.size()));
    result.inputs.push_back({{kRegion}, kind, Role::kSlot});
  }
  result.inputs.push_back({{1}, InputKind::kPositive, Role::kInput, 0.1});
  if (step >= 0) result.inputs.push_back({{1}, InputKind::kInteger, Role::kInput, double(step)});
  cases.push_back(std::move(result));
}

void AddUpdates(std::vector<OpCase>& cases) {
  AddUpdate(cases, "sgd_momentum", SgdMomentum{0.9f}, 1, -1);
  AddUpdate(cases, "sgd_without_momentum", SgdMomentum{0}, 1, -1);
  AddUpdate(cases, "sgd_nesterov", SgdMomentum{0.9f, 0, true}, 1, -1);
  AddUpdate(cases, "sgd_weight_decay", SgdMomentum{0.9f, 0.01f, false, 48}, 1, -1);
  AddUpdate(cases, "sgd_nesterov_weight_decay", SgdMomentum{0.9f, 0.1f, true, kRegion}, 1, -1);
  AddUpdate(cases, "adam_first_step", Adam{}, 2, 0);
  AddUpdate(cases, "adam_second_step", Adam{}, 2, 1);
  AddUpdate(cases, "adam_late_step", Adam{}, 2, 100000);
  AddUpdate(cases, "adam_weight_decay", Adam{0.9f, 0.99f, 1e-6f, 0.01f, 48}, 2, 10);
}

}  // namespace

void AddSimpleCases(std::vector<OpCase>& cases) {
  AddElementwise(cases);
  AddShapes(cases);
  AddDropout(cases);
  AddUpdates(cases);
}

}  // namespace fovea
