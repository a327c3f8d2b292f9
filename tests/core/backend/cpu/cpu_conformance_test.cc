// Every op case on the cpu backend against the reference in double: in both layout plans, for
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
    for (LayoutPlan plan : {LayoutPlan::kNhwc, LayoutPlan::kBlocked}) {
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

}  // namespace
}  // namespace fovea
