// The cases of dense layers, pooling and batch normalisation.
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
InputSpec State(Dims dims, InputKind kind) { return {dims, kind, Role::kState}; }

// ---- Dense.

OpCase DenseCase(const std::string& name, int64_t rows, int64_t features, int64_t units,
                 const Dense& dense) {
  OpCase result;
  result.name = absl::StrCat("dense_", name);
  result.attrs = dense;
  result.inputs = {{{rows, features}}, Parameter({units, features})};
  result.differentiable = {0, 1};
  if (dense.has_bias) {
    result.inputs.push_back(Parameter({units}));
    result.differentiable.push_back(2);
  }
  if (dense.has_residual) result.inputs.push_back({{rows, units}});
  if (dense.has_residual || dense.activation.kind != Activation::kNone) {
    result.differentiable.clear();
  }
  return result;
}

void AddDense(std::vector<OpCase>& cases) {
  cases.push_back(DenseCase("small", 2, 3, 4, {}));
  cases.push_back(DenseCase("batch1_bias", 1, 64, 10, {true}));
  cases.push_back(DenseCase("batch7_bias", 7, 32, 16, {true}));
  cases.push_back(DenseCase("odd", 3, 17, 30, {}));
  cases.push_back(DenseCase("odd_bias", 5, 30, 17, {true}));
  cases.push_back(DenseCase("one_feature", 4, 1, 3, {true}));
  cases.push_back(DenseCase("one_unit", 4, 20, 1, {true}));
  cases.push_back(DenseCase("wide", 2, 512, 32, {true}));
  cases.push_back(DenseCase("relu", 4, 20, 16, {true, false, {Activation::kRelu}}));
  cases.push_back(
      DenseCase("leaky_relu", 4, 20, 16, {true, false, {Activation::kLeakyRelu, 0.2f}}));
  cases.push_back(DenseCase("sigmoid", 4, 20, 16, {true, false, {Activation::kSigmoid}}));
  cases.push_back(DenseCase("tanh", 4, 20, 16, {false, false, {Activation::kTanh}}));
  cases.push_back(DenseCase("clip", 4, 20, 16, {true, false, {Activation::kClip, 0, 1}}));
  cases.push_back(DenseCase("elu", 4, 20, 16, {true, false, {Activation::kElu, 1}}));
  cases.push_back(DenseCase("selu", 4, 20, 16, {true, false, {Activation::kSelu}}));
  cases.push_back(DenseCase("gelu", 4, 20, 16, {true, false, {Activation::kGelu}}));
  cases.push_back(DenseCase("silu", 4, 20, 16, {true, false, {Activation::kSilu}}));
  cases.push_back(
      DenseCase("hard_sigmoid", 4, 20, 16, {true, false, {Activation::kHardSigmoid, 0.2f, 0.5f}}));
  cases.push_back(DenseCase("hard_swish", 4, 20, 16, {true, false, {Activation::kHardSwish}}));
  cases.push_back(DenseCase("softplus", 4, 20, 16, {true, false, {Activation::kSoftplus}}));
  cases.push_back(DenseCase("residual", 3, 16, 16, {false, true}));
  cases.push_back(DenseCase("bias_residual_relu", 3, 16, 16, {true, true, {Activation::kRelu}}));
  cases.push_back({"dense_backward_data", DenseBackwardData{}, {{{5, 17}}, Parameter({17, 30})}});
  cases.push_back({"dense_backward_weights", DenseBackwardWeights{}, {{{5, 30}}, {{5, 17}}}});
  cases.push_back({"bias_backward_dense", BiasBackward{}, {{{6, 17}}}});
  cases.push_back({"bias_backward_conv", BiasBackward{}, {{{3, 17, 5, 4}}}});
}

// ---- Pooling.

struct PoolGeometry {
  std::string name;
  Dims x;
  Window window = {};
  bool ceil = false;
};

const std::vector<PoolGeometry>& PoolGeometries() {
  static const auto* geometries = new std::vector<PoolGeometry>{
      {"2x2", {2, 16, 8, 8}, {{2, 2}, {2, 2}}},
      {"2x2_odd_input", {2, 3, 7, 9}, {{2, 2}, {2, 2}}},
      {"2x2_odd_input_ceil", {2, 3, 7, 9}, {{2, 2}, {2, 2}}, true},
      {"3x3_stride2_pad1", {2, 32, 9, 9}, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}},
      {"3x3_stride2_ceil", {1, 17, 8, 8}, {{3, 3}, {2, 2}}, true},
      {"3x3_stride1_pad1", {2, 8, 5, 6}, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}},
      {"3x2_stride1x2", {2, 5, 7, 8}, {{3, 2}, {1, 2}}},
      {"pad_asymmetric", {2, 16, 6, 6}, {{3, 3}, {2, 2}, {1, 1}, {0, 1, 2, 0}}},
      {"pad_after_ceil", {2, 16, 8, 8}, {{3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}}, true},
      // Rounded up, the last window would start in the padding behind: it is dropped.
      {"ceil_drops_the_last_window", {1, 4, 5, 5}, {{2, 2}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, true},
      {"ceil_pad_partial_window", {2, 4, 6, 6}, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, true},
      {"stride_beyond_kernel", {1, 8, 8, 8}, {{2, 2}, {3, 3}}},
  };
  return *geometries;
}

OpCase PoolCase(const std::string& name, const Dims& x, const Pool& pool) {
  OpCase result;
  result.name = absl::StrCat("pool_", name);
  result.attrs = pool;
  result.inputs = {{x, InputKind::kDistinct}};
  if (pool.kind == PoolKind::kAverage || pool.training) result.differentiable = {0};
  return result;
}

void AddPool(std::vector<OpCase>& cases) {
  for (const PoolGeometry& geometry : PoolGeometries()) {
    Pool pool;
    pool.window = geometry.window;
    pool.ceil = geometry.ceil;
    pool.training = true;
    cases.push_back(PoolCase(absl::StrCat("max_", geometry.name), geometry.x, pool));
    pool.training = false;
    pool.kind = PoolKind::kAverage;
    cases.push_back(PoolCase(absl::StrCat("average_", geometry.name), geometry.x, pool));
    if (geometry.window.pad == Window().pad) continue;
    pool.count_include_pad = true;
    cases.push_back(
        PoolCase(absl::StrCat("average_", geometry.name, "_counted"), geometry.x, pool));
  }
  Pool pool = {PoolKind::kMax, {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}};
  cases.push_back(PoolCase("max_inference", {2, 16, 9, 9}, pool));
  pool = {PoolKind::kMax, {{2, 2}, {1, 1}, {2, 2}}};
  pool.training = true;
  cases.push_back(PoolCase("max_dilation2", {2, 8, 7, 7}, pool));
  cases.back().cpu_may_fall_back = true;
  Pool global = {PoolKind::kAverage};
  global.global = true;
  cases.push_back(PoolCase("average_global", {2, 32, 7, 7}, global));
  cases.push_back(PoolCase("average_global_odd", {3, 17, 5, 3}, global));
  cases.push_back(PoolCase("average_global_1x1", {2, 16, 1, 1}, global));
  global.kind = PoolKind::kMax;
  cases.push_back(PoolCase("max_global_inference", {2, 16, 4, 4}, global));
  global.training = true;
  cases.push_back(PoolCase("max_global", {2, 17, 5, 4}, global));
  const Pool average = {PoolKind::kAverage, {{2, 2}, {2, 2}}};
  cases.push_back(
      {"pool_backward_average", PoolBackward{average, {2, 16, 8, 8}}, {{{2, 16, 4, 4}}}});
}

// ---- Batch normalisation.

OpCase TrainingCase(const std::string& name, const Dims& x, const BatchNormTraining& op) {
  OpCase result;
  result.name = absl::StrCat("batch_norm_training_", name);
  result.attrs = op;
  result.inputs = {{x, InputKind::kDistinct, Role::kInput, 2.0},
                   Parameter({x[1]}, InputKind::kPositive),
                   Parameter({x[1]})};
  result.differentiable = {0, 1, 2};
  result.tolerance = 3e-5;
  return result;
}

OpCase InferenceCase(const std::string& name, const Dims& x, const BatchNorm& op) {
  OpCase result;
  result.name = absl::StrCat("batch_norm_", name);
  result.attrs = op;
  result.inputs = {{x},
                   Parameter({x[1]}, InputKind::kPositive),
                   Parameter({x[1]}),
                   State({x[1]}, InputKind::kUniform),
                   State({x[1]}, InputKind::kPositive)};
  result.differentiable = {0};
  return result;
}

void AddStatistics(std::vector<OpCase>& cases) {
  for (const auto& [name, op] :
       std::vector<std::pair<std::string, UpdateStatistics>>{{"default", {0.9f, 50}},
                                                             {"slow", {0.99f, 4096}},
                                                             {"two_examples", {0.5f, 2}},
                                                             {"one_example", {0.9f, 1}}}) {
    OpCase result;
    result.name = absl::StrCat("update_statistics_", name);
    result.attrs = op;
    result.inputs = {{{17}},
                     {{17}, InputKind::kPositive},
                     State({17}, InputKind::kUniform),
                     State({17}, InputKind::kPositive)};
    result.overwrites = {2, 3};
    cases.push_back(std::move(result));
  }
}

void AddFolding(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Dims& weight, const FoldBatchNorm& op) {
    const Dims channels = {weight[0]};
    OpCase result = {absl::StrCat("fold_batch_norm_", name), op, {{weight}}};
    for (InputKind kind :
         {InputKind::kPositive, InputKind::kUniform, InputKind::kUniform, InputKind::kPositive}) {
      result.inputs.push_back({channels, kind});
    }
    if (op.has_bias) result.inputs.push_back({channels});
    cases.push_back(std::move(result));
  };
  add("conv", {17, 8, 3, 3}, {});
  add("conv_bias", {16, 3, 3, 3}, {1e-3f, true});
  add("depthwise", {30, 1, 3, 3}, {});
  add("dense_bias", {10, 20}, {1e-5f, true});
}

void AddNorm(std::vector<OpCase>& cases) {
  cases.push_back(InferenceCase("conv", {2, 16, 5, 5}, {}));
  cases.push_back(InferenceCase("odd", {1, 17, 3, 7}, {1e-3f}));
  cases.push_back(InferenceCase("dense", {4, 30}, {}));
  cases.push_back(TrainingCase("conv", {4, 16, 5, 5}, {}));
  cases.push_back(TrainingCase("relu", {4, 16, 5, 5}, {1e-5f, true}));
  cases.push_back(TrainingCase("odd_channels", {3, 17, 4, 6}, {}));
  cases.push_back(TrainingCase("odd_channels_relu", {3, 3, 7, 5}, {1e-5f, true}));
  cases.push_back(TrainingCase("large_planes", {2, 33, 17, 16}, {}));
  cases.push_back(TrainingCase("batch1", {1, 32, 6, 6}, {}));
  cases.push_back(TrainingCase("1x1_image", {8, 16, 1, 1}, {}));
  cases.push_back(TrainingCase("large_epsilon", {2, 8, 4, 4}, {0.1f, true}));
  cases.push_back(TrainingCase("dense", {8, 12}, {}));
  cases.push_back(TrainingCase("dense_relu", {8, 12}, {1e-5f, true}));
  const Dims x = {3, 8, 4, 5};
  OpCase backward = {"batch_norm_backward", BatchNormBackward{}, {{x}, {x}}};
  for (InputKind kind :
       {InputKind::kPositive, InputKind::kUniform, InputKind::kUniform, InputKind::kPositive}) {
    backward.inputs.push_back({{8}, kind});
  }
  backward.inputs.push_back({x, InputKind::kMask});
  cases.push_back(std::move(backward));
  for (const Dims& dy : {Dims{3, 17, 4, 5}, Dims{8, 12}}) {
    OpCase frozen = {absl::StrCat("frozen_batch_norm_backward_", dy.rank(), "d"),
                     FrozenBatchNormBackward{1e-3f},
                     {{dy}}};
    frozen.inputs.push_back({{dy[1]}, InputKind::kPositive});
    frozen.inputs.push_back({{dy[1]}, InputKind::kPositive});
    cases.push_back(std::move(frozen));
  }
  AddStatistics(cases);
  AddFolding(cases);
}

}  // namespace

void AddLayerCases(std::vector<OpCase>& cases) {
  AddDense(cases);
  AddPool(cases);
  AddNorm(cases);
}

}  // namespace fovea
