// Every op case on the cpu backend against the reference in double: in every layout plan, for
// inference and training, with gradients, and with images in every layout.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/layouts.h"
#include "core/compile/compile.h"
#include "core/graph/op_def.h"
#include "tests/core/backend/cpu/winograd_cases.h"
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

// Whether the case's op computes in integers, of which oneDNN's sums overflow without VNNI; nothing
// is served so on such a processor.
bool OverflowsHere(const OpCase& op_case) {
  const bool in_integers = absl::StartsWith(OpOf(op_case.attrs).name, "Quantized");
  return in_integers && !CheckComputes(CpuBackend(), DType::kI8).ok();
}

TEST_P(CpuConformance, AgreesWithTheReference) {
  if (OverflowsHere(GetParam())) GTEST_SKIP() << "this processor has no VNNI";
  ExpectReferenceInEveryLayout(/*training=*/false, /*gradients=*/false);
}

TEST_P(CpuConformance, AgreesWithTheReferenceInTraining) {
  if (OverflowsHere(GetParam())) GTEST_SKIP() << "this processor has no VNNI";
  ExpectReferenceInEveryLayout(/*training=*/true, /*gradients=*/!GetParam().differentiable.empty());
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Ops, CpuConformance, testing::ValuesIn(OpCases()), CaseName);

// ---- Few channels a group.

// Of the cases named so, our kernel computes all but those with an activation it does not know.
TEST(CpuConformanceOfFewChannelsAGroup, RunsOurKernel) {
  if (cpu::BlockChannels() < 16) GTEST_SKIP() << "the kernel needs AVX-512";
  int ours = 0, others = 0;
  for (const OpCase& op_case : OpCases()) {
    if (!op_case.name.starts_with("conv_few_a_group")) continue;
    for (LayoutPlan plan : {LayoutPlan::kNhwc, LayoutPlan::kBlocked}) {
      RunOptions options;
      options.compile.optimize = false;
      options.compile.layout_plan = plan;
      options.compile.allow_slow_kernels = op_case.cpu_may_fall_back;
      const auto run = RunOnBackend(op_case, CpuBackend(), options);
      ASSERT_TRUE(run.ok()) << op_case.name << ": " << run.status();
      const Activation activation = std::get<Conv>(op_case.attrs).activation.kind;
      const bool known = activation == Activation::kNone || activation == Activation::kRelu ||
                         activation == Activation::kClip || activation == Activation::kHardSwish;
      const bool expected = plan == LayoutPlan::kBlocked && known;
      for (const Step& step : run->program->steps()) {
        if (step.flops == 0) continue;
        EXPECT_EQ(step.kernel_name == "fovea:grouped_3x3", expected)
            << op_case.name << " " << LayoutPlanName(plan) << " " << step.kernel_name;
        ++(expected ? ours : others);
      }
    }
  }
  EXPECT_GT(ours, 0);
  EXPECT_GT(others, 0);
}

// ---- Winograd: convolutions large enough for it.

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
    const bool ours = op_case.name.starts_with("ours");
    for (const Step& step : run->program->steps()) {
      if (step.flops == 0) continue;
      EXPECT_NE(step.kernel_name.find(ours ? "fovea:winograd" : "wino"), std::string::npos)
          << op_case.name << " " << step.op << " " << step.kernel_name;
    }
  }
}

// At one width the threads' shares are fixed, and so is the order of every sum.
TEST(CpuConformanceOfWinograd, RepeatsBitByBit) {
  if (cpu::BlockChannels() < 16) GTEST_SKIP() << "Winograd's kernels need AVX-512";
  for (const OpCase& op_case : WinogradCases()) {
    RunOptions options;
    options.compile.training = true;
    options.compile.layout_plan = LayoutPlan::kBlockedWinograd;
    options.compile.width = 2;
    options.gradients = true;
    const auto first = RunOnBackend(op_case, CpuBackend(), options);
    const auto second = RunOnBackend(op_case, CpuBackend(), options);
    ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
    const absl::Status same = CompareOutputs(first->outputs, second->outputs, 0);
    EXPECT_TRUE(same.ok()) << op_case.name << ": " << same;
  }
}

}  // namespace
}  // namespace fovea
