// The gradient that OpDef::gradient builds, evaluated in double, against central differences of
// the functional L = Σ dy · y, in random directions and at single elements.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

constexpr double kStep = 1e-5;
constexpr double kTolerance = 1e-6;  // relative to the size of the gradient

double Dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i) sum += a.as<double>()[i] * b.as<double>()[i];
  return sum;
}

class OpGradient : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    auto with_gradients = BuildCaseGraph(GetParam(), DType::kF64, true);
    auto forward = BuildCaseGraph(GetParam(), DType::kF64, false);
    ASSERT_TRUE(with_gradients.ok()) << with_gradients.status();
    ASSERT_TRUE(forward.ok()) << forward.status();
    graph_ = *std::move(with_gradients);
    forward_ = *std::move(forward);
    for (NamedTensor& input : MakeInputs(GetParam(), graph_)) {
      SetValue(graph_.graph, values_, input);
    }
    for (NamedTensor& input : MakeInputs(GetParam(), forward_)) {
      SetValue(forward_.graph, forward_values_, input);
    }
    Evaluate(graph_.graph, values_);
  }

  static void SetValue(const Graph& graph, std::vector<Tensor>& values, NamedTensor& input) {
    values.resize(graph.values().size());
    values[graph.Find(input.name)] = std::move(input.tensor);
  }

  // L at input + step · direction.
  double Functional(int input, const std::vector<double>& direction, double step) {
    Tensor& x = forward_values_[forward_.inputs[input]];
    const std::vector<double> before(x.as<double>(), x.as<double>() + x.count());
    for (int64_t i = 0; i < x.count(); ++i) x.as<double>()[i] += step * direction[i];
    Evaluate(forward_.graph, forward_values_);
    std::copy(before.begin(), before.end(), x.as<double>());
    return Dot(forward_values_[forward_.outputs[0]], values_[graph_.dy]);
  }

  void ExpectDerivative(int input, const Tensor& gradient, const std::vector<double>& direction,
                        const std::string& where) {
    const double difference =
        (Functional(input, direction, kStep) - Functional(input, direction, -kStep)) / (2 * kStep);
    double derivative = 0, scale = 1;
    for (int64_t i = 0; i < gradient.count(); ++i) {
      derivative += gradient.as<double>()[i] * direction[i];
      scale += std::abs(gradient.as<double>()[i] * direction[i]);
    }
    EXPECT_NEAR(derivative, difference, kTolerance * scale) << "input " << input << ", " << where;
  }

  CaseGraph graph_, forward_;
  std::vector<Tensor> values_, forward_values_;
};

TEST_P(OpGradient, IsTheDerivative) {
  Random random(1);
  for (size_t k = 0; k < GetParam().differentiable.size(); ++k) {
    const int input = GetParam().differentiable[k];
    const Tensor& gradient = values_[graph_.gradients[k]];
    ASSERT_EQ(gradient.type(), graph_.graph.type(graph_.inputs[input]));
    std::vector<double> direction(static_cast<size_t>(gradient.count()));
    for (int round = 0; round < 2; ++round) {
      for (double& element : direction) element = 2 * random.Uniform() - 1;
      ExpectDerivative(input, gradient, direction, "a random direction");
    }
    for (int round = 0; round < 4; ++round) {
      std::fill(direction.begin(), direction.end(), 0.0);
      const uint64_t i = random.Below(direction.size());
      direction[i] = 1;
      ExpectDerivative(input, gradient, direction, "element " + std::to_string(i));
    }
  }
}

std::vector<OpCase> DifferentiableCases() {
  std::vector<OpCase> cases;
  std::copy_if(OpCases().begin(), OpCases().end(), std::back_inserter(cases),
               [](const OpCase& op_case) { return !op_case.differentiable.empty(); });
  return cases;
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Cases, OpGradient, testing::ValuesIn(DifferentiableCases()), CaseName);

TEST(OpGradientNodes, AreOnlyThoseThatAreWanted) {
  for (OpCase op_case : DifferentiableCases()) {
    if (op_case.differentiable.size() < 2) continue;
    const size_t all = op_case.differentiable.size();
    op_case.differentiable = {1};
    const auto built = BuildCaseGraph(op_case, DType::kF64, true);
    ASSERT_TRUE(built.ok()) << op_case.name << ": " << built.status();
    EXPECT_LT(built->gradients.size(), all) << op_case.name;
  }
}

// ---- What cannot be differentiated says so.

absl::Status GradientOf(Graph& graph, ValueId of, std::vector<ValueId> dy) {
  const Node node = graph.nodes()[graph.Producers()[of]];
  GradientBuilder builder(graph, node, std::move(dy), std::vector<bool>(node.inputs.size(), true));
  return OpOf(node.attrs).gradient(builder);
}

TEST(OpGradientErrors, RefuseAFusedActivation) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 2, 4, 4}});
  const ValueId w = graph.AddParameter("w", {3, 2, 1, 1});
  Conv conv;
  conv.activation.kind = Activation::kRelu;
  const ValueId y = *graph.Add1("layer", conv, {x, w});
  EXPECT_EQ(GradientOf(graph, y, {y}).message(),
            "conv \"layer\" has a residual or a fused activation, expected neither in training");
}

TEST(OpGradientErrors, RefuseAMaxPoolWithoutWorkspace) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 2, 4, 4}});
  const ValueId y = *graph.Add1("pool", Pool{PoolKind::kMax, {{2, 2}, {2, 2}}}, {x});
  EXPECT_EQ(GradientOf(graph, y, {y}).message(),
            "pool \"pool\" keeps no workspace, expected training = true");
}

TEST(OpGradientErrors, RefuseTheInferenceFormOfBatchNorm) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 2, 4, 4}});
  const ValueId c = graph.AddParameter("c", {2});
  const ValueId y = *graph.Add1("norm", BatchNorm{}, {x, c, c, c, c});
  const absl::Status status = GradientOf(graph, y, {y});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("BatchNorm \"norm\""));
}

TEST(OpGradientErrors, RefuseAGradientOfProbabilities) {
  Graph graph;
  const ValueId z = graph.AddInput("z", {DType::kF32, {2, 3}});
  const ValueId w = graph.AddInput("w", {DType::kF32, {2}});
  const auto outputs = *graph.Add("loss", SoftmaxCrossEntropy{}, {z, z, w});
  EXPECT_FALSE(GradientOf(graph, outputs[0], {outputs[0], outputs[1]}).ok());
}

}  // namespace
}  // namespace fovea
