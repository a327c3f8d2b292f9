// The cases of ops that know channels: transposed convolution, PReLU, gates, concatenation, group
// norm, local response norm, L2 pooling, drop of whole examples.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

InputSpec Parameter(Dims dims, InputKind kind = InputKind::kUniform) {
  return {dims, kind, Role::kParameter};
}

// Images in the shapes that layouts treat differently: whole blocks, a padded block, one pixel.
const std::vector<std::pair<std::string, Dims>>& Images() {
  static const auto* images = new std::vector<std::pair<std::string, Dims>>{
      {"blocks", {2, 32, 5, 4}},    {"odd", {3, 17, 3, 5}},    {"few", {2, 4, 7, 3}},
      {"1x1_image", {4, 16, 1, 1}}, {"plane", {1, 3, 71, 61}},
  };
  return *images;
}

// ---- Transposed convolution.

void AddTransposed(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& x, int64_t outputs, Window window,
                       int32_t group = 1, std::array<int32_t, 2> output_pad = {0, 0}) {
    for (bool bias : {false, true}) {
      OpCase result;
      result.name = absl::StrCat("conv_transpose_", name, bias ? "_bias" : "");
      result.attrs = ConvTranspose{window, group, output_pad, bias};
      result.inputs = {{x}, Parameter({x[1], outputs / group, window.kernel[0], window.kernel[1]})};
      result.differentiable = {0, 1};
      if (bias) {
        result.inputs.push_back(Parameter({outputs}));
        result.differentiable.push_back(2);
      }
      cases.push_back(std::move(result));
    }
  };
  add("2x2_stride2", {2, 16, 5, 5}, 16, {{2, 2}, {2, 2}});
  add("3x3_same", {2, 16, 6, 6}, 32, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  add("3x3_stride2_output_pad", {2, 16, 5, 4}, 8, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 1,
      {1, 1});
  add("output_pad_rows", {1, 8, 4, 4}, 8, {{3, 3}, {2, 2}, {1, 1}, {0, 1, 1, 0}}, 1, {1, 0});
  add("4x4_stride2", {2, 8, 4, 4}, 16, {{4, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}});
  add("stride_beyond_kernel", {1, 8, 3, 3}, 8, {{2, 2}, {3, 3}});
  add("dilation2", {1, 8, 5, 5}, 8, {{3, 3}, {1, 1}, {2, 2}});
  add("group2", {2, 32, 4, 4}, 32, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 2);
  add("depthwise", {2, 16, 4, 4}, 16, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 16);
  add("17_to_30_channels", {2, 17, 4, 4}, 30, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
}

// ---- PReLU, products, gates.

void AddPRelu(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& x) {
    const InputSpec values = {x, InputKind::kDistinct, Role::kInput, 3};
    OpCase forward = {absl::StrCat("prelu_", name), PRelu{}, {values, Parameter({x[1]})}};
    forward.differentiable = {0, 1};
    cases.push_back(std::move(forward));
  };
  for (const auto& [name, x] : Images()) add(name, x);
  add("dense", {5, 30});
  cases.push_back({"prelu_backward",
                   PReluBackward{},
                   {{{2, 16, 4, 4}, InputKind::kDistinct}, Parameter({16}), {{2, 16, 4, 4}}}});
}

void AddProducts(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& a, const Dims& b) {
    OpCase result = {absl::StrCat("mul_", name), Mul{}, {{a}, {b}}};
    result.differentiable = {0, 1};
    cases.push_back(std::move(result));
  };
  for (const auto& [name, x] : Images()) {
    add(name, x, x);
    if (x[2] > 1) add(absl::StrCat("gate_", name), x, {x[0], x[1], 1, 1});
  }
  add("dense", {3, 30}, {3, 30});
  cases.push_back({"gate_backward", GateBackward{}, {{{2, 16, 4, 4}}, {{2, 16, 4, 4}}}});
}

// ---- Concatenation.

void AddConcat(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const std::vector<Dims>& parts) {
    OpCase result = {absl::StrCat("concat_", name), Concat{}};
    for (const Dims& part : parts) {
      result.differentiable.push_back(static_cast<int>(result.inputs.size()));
      result.inputs.push_back({part});
    }
    cases.push_back(std::move(result));
  };
  add("blocks", {{2, 16, 4, 4}, {2, 32, 4, 4}});
  add("odd", {{3, 17, 3, 5}, {3, 4, 3, 5}, {3, 1, 3, 5}});
  add("block_and_odd", {{2, 16, 3, 3}, {2, 3, 3, 3}});
  add("1x1_image", {{4, 16, 1, 1}, {4, 17, 1, 1}});
  add("dense", {{4, 5}, {4, 30}});
  cases.push_back({"slice_channels_blocks", SliceChannels{16, 32}, {{{2, 64, 3, 4}}}});
  cases.push_back({"slice_channels_odd", SliceChannels{3, 5}, {{{2, 17, 3, 4}}}});
}

// ---- Norms.

void AddNorms(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& x, const GroupNorm& norm) {
    OpCase result = {absl::StrCat("group_norm_", name),
                     norm,
                     {{x, InputKind::kDistinct, Role::kInput, 2.0},
                      Parameter({x[1]}, InputKind::kPositive),
                      Parameter({x[1]})}};
    result.differentiable = {0, 1, 2};
    result.tolerance = 3e-5;
    cases.push_back(std::move(result));
  };
  add("layer", {3, 16, 5, 4}, {1});
  add("layer_odd", {2, 17, 3, 5}, {1, 1e-3f});
  add("four_groups", {2, 32, 4, 4}, {4});
  add("groups_across_blocks", {2, 48, 3, 3}, {2});
  add("groups_of_three", {2, 18, 5, 3}, {6});
  add("instance", {2, 16, 5, 5}, {16});
  add("instance_odd", {1, 5, 7, 9}, {5});
  add("plane", {1, 4, 71, 61}, {2});
  add("dense", {5, 30}, {1});
  add("dense_groups", {5, 30}, {3});
  const Dims x = {2, 16, 4, 4};
  cases.push_back({"group_norm_backward",
                   GroupNormBackward{{4}},
                   {{x, InputKind::kDistinct}, {x}, Parameter({16}, InputKind::kPositive)}});
  const auto add_response = [&](const std::string& name, const Dims& dims,
                                const LocalResponseNorm& norm) {
    OpCase result = {absl::StrCat("local_response_norm_", name),
                     norm,
                     {{dims, InputKind::kUniform, Role::kInput, 3.0}}};
    result.differentiable = {0};
    cases.push_back(std::move(result));
  };
  add_response("alexnet", {2, 16, 5, 4}, {5, 5e-4f, 0.75f, 2});
  add_response("strong", {2, 17, 3, 5}, {3, 1, 0.75f, 1});
  add_response("other_power", {1, 8, 4, 4}, {5, 0.5f, 0.5f, 1});
  add_response("wider_than_the_input", {2, 4, 3, 3}, {9, 1, 0.75f, 2});
  add_response("one_channel", {2, 6, 3, 3}, {1, 1, 1, 1});
  cases.push_back({"local_response_norm_backward",
                   LocalResponseNormBackward{{5, 0.5f, 0.75f, 1}},
                   {{{2, 8, 4, 4}}, {{2, 8, 4, 4}}}});
}

// ---- L2 pooling.

void AddL2Pool(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& x, const Window& window,
                       bool ceil = false, bool global = false) {
    Pool pool;
    pool.kind = PoolKind::kL2;
    pool.window = window;
    pool.ceil = ceil;
    pool.global = global;
    OpCase result = {absl::StrCat("pool_l2_", name), pool, {{x, InputKind::kDistinct}}};
    result.differentiable = {0};
    cases.push_back(std::move(result));
  };
  add("2x2", {2, 16, 8, 8}, {{2, 2}, {2, 2}});
  add("3x3_stride2_pad1", {2, 17, 9, 9}, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}});
  add("2x2_odd_input_ceil", {2, 3, 7, 9}, {{2, 2}, {2, 2}}, true);
  add("dilation2", {1, 8, 7, 7}, {{2, 2}, {1, 1}, {2, 2}});
  add("global", {2, 16, 5, 3}, {}, false, true);
  Pool pool = {PoolKind::kL2, {{2, 2}, {2, 2}}};
  cases.push_back({"pool_backward_l2",
                   PoolBackward{pool, {2, 4, 4, 4}},
                   {{{2, 4, 2, 2}}, {{2, 4, 4, 4}}, {{2, 4, 2, 2}, InputKind::kPositive}}});
}

// ---- Stochastic depth.

void AddDropExamples(std::vector<OpCase>& cases) {
  const InputSpec seed = {{1}, InputKind::kInteger, Role::kInput, 1234};
  const InputSpec step = {{1}, InputKind::kInteger, Role::kInput, 7};
  for (const auto& [name, x] : std::vector<std::pair<std::string, Dims>>{
           {"blocks", {9, 16, 3, 3}}, {"odd", {9, 17, 2, 3}}, {"dense", {9, 30}}}) {
    OpCase result = {
        absl::StrCat("drop_examples_", name), Dropout{0.4f, 5, true}, {{x}, seed, step}};
    result.differentiable = {0};
    cases.push_back(std::move(result));
  }
  cases.push_back({"drop_examples_inference", Dropout{0.4f, 5, true}, {{{3, 16, 3, 3}}}});
}

}  // namespace

void AddChannelCases(std::vector<OpCase>& cases) {
  AddTransposed(cases);
  AddPRelu(cases);
  AddProducts(cases);
  AddConcat(cases);
  AddNorms(cases);
  AddL2Pool(cases);
  AddDropExamples(cases);
}

}  // namespace fovea
