// Every case by the reference: float beside double, forward and gradient; and the table is whole.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

// The reference sums in double; what is left is the rounding of inputs' products and results.
constexpr double kRounding = 2e-6;

class OpReference : public testing::TestWithParam<OpCase> {
 protected:
  void ExpectFloatLikeDouble(bool gradients) {
    const auto exact = RunReference(GetParam(), DType::kF64, gradients);
    const auto rounded = RunReference(GetParam(), DType::kF32, gradients);
    ASSERT_TRUE(exact.ok()) << exact.status();
    ASSERT_TRUE(rounded.ok()) << rounded.status();
    for (const NamedTensor& output : *exact) {
      for (int64_t i = 0; i < output.tensor.count(); ++i) {
        ASSERT_TRUE(std::isfinite(ElementAt(output.tensor, i))) << output.name << " at " << i;
      }
    }
    const absl::Status same = CompareOutputs(*exact, *rounded, kRounding);
    EXPECT_TRUE(same.ok()) << same;
  }
};

TEST_P(OpReference, AgreesInFloatAndDouble) { ExpectFloatLikeDouble(false); }

TEST_P(OpReference, AgreesInFloatAndDoubleWithItsGradient) {
  if (GetParam().differentiable.empty()) GTEST_SKIP() << "has no gradient";
  ExpectFloatLikeDouble(true);
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Cases, OpReference, testing::ValuesIn(OpCases()), CaseName);

TEST(OpTable, NamesEachCaseOnce) {
  std::set<std::string> names;
  for (const OpCase& op_case : OpCases()) {
    EXPECT_TRUE(names.insert(op_case.name).second) << op_case.name;
  }
  EXPECT_GE(names.size(), 120u);
}

template <size_t... index>
std::vector<absl::string_view> OpNames(std::index_sequence<index...>) {
  return {OpOf(Attrs(std::in_place_index<index>)).name...};
}

TEST(OpTable, HasACaseForEveryOp) {
  std::set<absl::string_view> seen;
  for (const OpCase& op_case : OpCases()) {
    const auto built = BuildCaseGraph(op_case, DType::kF32, !op_case.differentiable.empty());
    ASSERT_TRUE(built.ok()) << op_case.name << ": " << built.status();
    for (const Node& node : built->graph.nodes()) seen.insert(OpOf(node.attrs).name);
  }
  for (absl::string_view name : OpNames(std::make_index_sequence<std::variant_size_v<Attrs>>())) {
    EXPECT_TRUE(seen.count(name)) << name;
  }
}

TEST(OpTable, MakesTheSameInputsForFloatAndDouble) {
  const OpCase& op_case = OpCases().front();
  const auto single = BuildCaseGraph(op_case, DType::kF32, false);
  const auto twice = BuildCaseGraph(op_case, DType::kF64, false);
  ASSERT_TRUE(single.ok() && twice.ok());
  const absl::Status same =
      CompareOutputs(MakeInputs(op_case, *single), MakeInputs(op_case, *twice), 0);
  EXPECT_TRUE(same.ok()) << same;
}

TEST(CompareOutputs, NamesTheWorstElement) {
  std::vector<NamedTensor> expected, actual;
  expected.push_back({"y", Tensor({DType::kF32, {2, 3}})});
  actual.push_back({"y", Tensor({DType::kF32, {2, 3}})});
  expected[0].tensor.as<float>()[0] = 4;
  actual[0].tensor.as<float>()[0] = 4;
  actual[0].tensor.as<float>()[4] = 0.5;
  actual[0].tensor.as<float>()[5] = 0.25;
  const absl::Status status = CompareOutputs(expected, actual, 1e-3);
  EXPECT_EQ(status.message(),
            "\"y\" at [1,1]: found 0.5, expected 0 (difference 0.5, allowed 0.004); 2 of 6 "
            "elements differ");
  EXPECT_TRUE(CompareOutputs(expected, actual, 0.2).ok());
  actual[0].tensor.as<float>()[1] = NAN;
  EXPECT_THAT(std::string(CompareOutputs(expected, actual, 0.2).message()),
              testing::HasSubstr("\"y\" at [0,1]: found nan"));
}

}  // namespace
}  // namespace fovea
