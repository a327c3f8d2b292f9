// Every op case that the cpu backend computes in bf16, against the reference in double on the same
// (rounded) inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/layouts.h"
#include "core/compile/compile.h"
#include "core/graph/op_def.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"
#include "core/tensor/half.h"
#include "tests/core/backend/cpu/winograd_cases.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

using ::testing::IsSupersetOf;

// Root mean square of the difference over that of the expected values. Rounding a result to 8 bits
// alone makes 1.1e-3.
constexpr double kTolerance = 4e-3;

// The gradient of an activation is a function of its rounded result: 1 − y² and y (1 − y) feel the
// rounding several times, and a result that rounds to the bound of a clip has none.
double Tolerance(const OpCase& op_case, bool gradients) {
  const auto* activate = std::get_if<Activate>(&op_case.attrs);
  const auto* add = std::get_if<Add>(&op_case.attrs);
  if (!gradients || (activate == nullptr && add == nullptr)) return kTolerance;
  const Activation kind = activate != nullptr ? activate->activation.kind : add->activation.kind;
  return kind == Activation::kClip ? 5e-2 : 1e-2;
}

constexpr LayoutPlan kPlans[] = {LayoutPlan::kNhwc, LayoutPlan::kBlocked,
                                 LayoutPlan::kBlockedWinograd};

// Activations and weights; what is kept by channel stays f32.
bool IsHalf(const Value& value) {
  return value.type.dtype == DType::kF32 && value.type.dims.rank() >= 2;
}

// The case's op and its gradient in bf16, between casts. Not OK: it has no such form, or the
// backend no kernel for it.
absl::StatusOr<Graph> HalfGraph(const OpCase& op_case, bool gradients) {
  auto built = BuildCaseGraph(op_case, DType::kF32, gradients);
  if (!built.ok()) return built.status();
  if (!op_case.overwrites.empty()) return absl::UnimplementedError("overwrites");
  Graph graph;
  std::vector<ValueId> map(built->graph.values().size(), kNoValue);
  for (size_t id = 0; id < map.size(); ++id) {
    const Value& value = built->graph.values()[id];
    if (value.role == Role::kTemporary) continue;
    map[id] = graph.AddValue(value.name, value.type, Role::kInput);
    if (!IsHalf(value)) continue;
    const auto half = graph.Add1(value.name + "@bf16", Cast{DType::kBF16}, {map[id]});
    if (!half.ok()) return half.status();
    map[id] = *half;
  }
  for (const Node& node : built->graph.nodes()) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(map[id]);
    const auto outputs = graph.Add(node.name, node.attrs, inputs, node.constants);
    if (!outputs.ok()) return outputs.status();
    if (!CpuBackend().Supports(graph, graph.nodes().back())) {
      return absl::UnimplementedError(node.name);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) map[node.outputs[i]] = (*outputs)[i];
  }
  bool any = false;
  for (ValueId id : built->graph.outputs()) {
    any = any || graph.type(map[id]).dtype == DType::kBF16;
    const auto out = graph.Add1(built->graph.value(id).name + "@out", Cast{DType::kF32}, {map[id]});
    if (!out.ok()) return out.status();
    graph.MarkOutput(*out);
  }
  for (const Value& value : graph.values()) any = any || value.type.dtype == DType::kBF16;
  if (!any) return absl::UnimplementedError("nothing in bf16");
  graph.AssignRegions();
  return graph;
}

// The case's inputs, those that become bf16 rounded to it, as doubles or floats.
std::vector<NamedTensor> RoundedInputs(const OpCase& op_case, DType dtype, bool gradients) {
  const auto graph = BuildCaseGraph(op_case, dtype, gradients);
  const auto single = BuildCaseGraph(op_case, DType::kF32, gradients);
  std::vector<NamedTensor> inputs = MakeInputs(op_case, *graph);
  for (NamedTensor& input : inputs) {
    if (!IsHalf(single->graph.value(single->graph.Find(input.name)))) continue;
    for (int64_t i = 0; i < input.tensor.count(); ++i) {
      const auto x = static_cast<float>(ElementAt(input.tensor, i));
      const float rounded = ToFloat(FromFloat<Bf16>(x));
      if (dtype == DType::kF64) {
        input.tensor.as<double>()[i] = rounded;
      } else {
        input.tensor.as<float>()[i] = rounded;
      }
    }
  }
  return inputs;
}

double RelativeRms(const TensorView& expected, const TensorView& actual) {
  double difference = 0, scale = 1e-12;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double e = ElementAt(expected, i), d = ElementAt(actual, i) - e;
    difference += d * d;
    scale += e * e;
  }
  return std::sqrt(difference / scale);
}

class CpuBf16 : public testing::TestWithParam<OpCase> {
 protected:
  void ExpectReference(LayoutPlan plan, bool gradients) {
    const OpCase& op_case = GetParam();
    auto half = HalfGraph(op_case, gradients);
    if (!half.ok()) GTEST_SKIP() << half.status();
    const auto graph = BuildCaseGraph(op_case, DType::kF64, gradients);
    std::vector<Tensor> expected(graph->graph.values().size());
    for (NamedTensor& input : RoundedInputs(op_case, DType::kF64, gradients)) {
      expected[graph->graph.Find(input.name)] = std::move(input.tensor);
    }
    Evaluate(graph->graph, expected);

    CompileOptions options;
    options.training = true;
    options.optimize = false;
    options.layout_plan = plan;
    options.width = 2;
    const auto weights = Weights::Create(CpuBackend(), *half, {});
    ASSERT_TRUE(weights.ok()) << weights.status();
    const auto program = Compile(*std::move(half), CpuBackend(), options);
    ASSERT_TRUE(program.ok()) << program.status();
    const auto executor = Executor::Create(*program, *weights);
    ASSERT_TRUE(executor.ok()) << executor.status();
    for (const NamedTensor& input : RoundedInputs(op_case, DType::kF32, gradients)) {
      if ((*program)->FindInput(input.name) < 0) continue;
      ASSERT_TRUE((*executor)->SetInput(input.name, input.tensor).ok());
    }
    ASSERT_TRUE((*executor)->Run().ok());
    for (size_t i = 0; i < graph->graph.outputs().size(); ++i) {
      const ValueId id = graph->graph.outputs()[i];
      EXPECT_LT(RelativeRms(expected[id], (*executor)->output(static_cast<int>(i))),
                Tolerance(op_case, gradients))
          << graph->graph.value(id).name << "\n"
          << ToText((*program)->graph());
    }
  }
};

TEST_P(CpuBf16, AgreesWithTheReference) {
  for (LayoutPlan plan : kPlans) {
    SCOPED_TRACE(LayoutPlanName(plan));
    ExpectReference(plan, /*gradients=*/false);
    if (IsSkipped()) return;
  }
}

TEST_P(CpuBf16, AgreesWithTheReferenceInItsGradients) {
  if (GetParam().differentiable.empty()) GTEST_SKIP() << "no gradient";
  for (LayoutPlan plan : kPlans) {
    SCOPED_TRACE(LayoutPlanName(plan));
    ExpectReference(plan, /*gradients=*/true);
    if (IsSkipped()) return;
  }
}

TEST(CpuBf16Kernels, ExistForWhatStandsBetweenConvolutions) {
  const absl::Status computes = CheckComputes(CpuBackend(), DType::kBF16);
  if (!computes.ok()) GTEST_SKIP() << computes;
  std::set<std::string> ops;
  for (const OpCase& op_case : OpCases()) {
    for (bool gradients : {false, true}) {
      if (gradients && op_case.differentiable.empty()) continue;
      const auto graph = HalfGraph(op_case, gradients);
      if (!graph.ok()) continue;
      for (const Node& node : graph->nodes()) ops.insert(std::string(OpOf(node.attrs).name));
    }
  }
  EXPECT_THAT(ops, IsSupersetOf({"Conv", "ConvBackwardData", "ConvBackwardWeights", "Dense",
                                 "DenseBackwardData", "DenseBackwardWeights", "BiasBackward",
                                 "Pool", "PoolBackward", "BatchNormTraining", "BatchNormBackward",
                                 "Activate", "ActivateBackward", "Add", "Reshape"}));
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Ops, CpuBf16, testing::ValuesIn(OpCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Winograd, CpuBf16, testing::ValuesIn(WinogradCases()), CaseName);

}  // namespace
}  // namespace fovea
