// Every op case on the cpu backend against the reference in double: in every layout plan, for
// inference and training, with gradients, and with images in every layout.
#include <gtest/gtest.h>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/layouts.h"
#include "tests/testing/op_cases.h"
#include "tests/testing/run_on_backend.h"

namespace fovea {
namespace {

class CpuConformance : public testing::TestWithParam<OpCase> {
 protected:
  void ExpectReference(const RunOptions& given) {
    const OpCase& op_case = GetParam();
    RunOptions options = given;
    options.compile.optimize = false;
    options.compile.width = 2;
    options.compile.allow_slow_kernels = op_case.cpu_may_fall_back;
    const auto expected = RunReference(op_case, DType::kF64, options.gradients);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto actual = RunOnBackend(op_case, CpuBackend(), options);
    ASSERT_TRUE(actual.ok()) << actual.status();
    const absl::Status same = CompareOutputs(*expected, actual->outputs, op_case.tolerance);
    EXPECT_TRUE(same.ok()) << same << "\n" << ToText(actual->program->graph());
  }

  void ExpectReferenceInEveryLayout(bool training, bool gradients) {
    for (LayoutPlan plan :
         {LayoutPlan::kNhwc, LayoutPlan::kBlocked, LayoutPlan::kBlockedWinograd}) {
      for (Layout image_layout : {kDense, cpu::kNhwc, cpu::kBlocked}) {
        SCOPED_TRACE(testing::Message()
                     << "plan " << LayoutPlanName(plan) << ", images in layout " << image_layout);
        RunOptions options;
        options.compile.training = training;
        options.compile.layout_plan = plan;
        options.gradients = gradients;
        options.image_layout = image_layout;
        ExpectReference(options);
      }
    }
  }
};

TEST_P(CpuConformance, AgreesWithTheReference) {
  ExpectReferenceInEveryLayout(/*training=*/false, /*gradients=*/false);
}

TEST_P(CpuConformance, AgreesWithTheReferenceInTraining) {
  ExpectReferenceInEveryLayout(/*training=*/true, /*gradients=*/!GetParam().differentiable.empty());
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Ops, CpuConformance, testing::ValuesIn(OpCases()), CaseName);

// ---- Winograd: convolutions large enough for it. Its error is some 1e-6 of the result's rms.

OpCase WinogradCase(const std::string& name, const Dims& x, int64_t outputs, bool has_bias) {
  OpCase result;
  result.name = name;
  Conv conv;
  conv.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  conv.has_bias = has_bias;
  result.attrs = conv;
  result.inputs = {{x}, {{outputs, x[1], 3, 3}, InputKind::kUniform, Role::kParameter}};
  result.differentiable = {0, 1};
  if (has_bias) {
    result.inputs.push_back({{outputs}, InputKind::kUniform, Role::kParameter});
    result.differentiable.push_back(2);
  }
  result.tolerance = 2e-5;
  return result;
}

const std::vector<OpCase>& WinogradCases() {
  static const auto* cases = new std::vector<OpCase>{
      WinogradCase("whole_tiles", {8, 32, 8, 8}, 32, false),
      WinogradCase("cut_tiles", {9, 64, 7, 7}, 64, false),
      WinogradCase("sides_differ_bias", {6, 64, 10, 7}, 80, true),
      WinogradCase("narrowing", {8, 96, 8, 8}, 32, false),
  };
  return *cases;
}
INSTANTIATE_TEST_SUITE_P(Winograd, CpuConformance, testing::ValuesIn(WinogradCases()), CaseName);

TEST(CpuConformanceOfWinograd, RunsIt) {
  if (cpu::BlockChannels() < 16) GTEST_SKIP() << "Winograd's kernels need AVX-512";
  for (const OpCase& op_case : WinogradCases()) {
    RunOptions options;
    options.compile.training = true;
    options.compile.optimize = false;
    options.compile.layout_plan = LayoutPlan::kBlockedWinograd;
    options.gradients = true;
    const auto run = RunOnBackend(op_case, CpuBackend(), options);
    ASSERT_TRUE(run.ok()) << run.status();
    for (const Step& step : run->program->steps()) {
      if (step.flops == 0) continue;
      EXPECT_NE(step.kernel_name.find("wino"), std::string::npos)
          << op_case.name << " " << step.op << " " << step.kernel_name;
    }
  }
}

}  // namespace
}  // namespace fovea
