// ONNX's own node tests of its training operators, against our update rules.
//
// The files are Debian's package libonnx-testdata; the tests skip where it is not installed. What
// ONNX calls norm_coefficient is our weight decay. Where the definitions differ:
// - Adam of ONNX has no bias correction at T = 0, which all these tests have; our rule has 1 − βᵗ
//   from t = 1 on. At a late step both corrections are 1, and the rest is the same.
// - The values of adam_multiple were made with an epsilon of 0.01, which its node does not name.
// - Adagrad of ONNX divides the rate by 1 + T · decay_factor, and Momentum of ONNX weighs the
//   gradient by beta when T > 0: a schedule and a dampening that our rules leave to the rate. At
//   T = 0 both are 1, which is checked.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/onnx/tensor_proto.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "onnx/onnx_pb.h"
#include "tests/core/ops/update_run.h"

namespace fovea {
namespace {

using testing::UpdateRun;

const char kFolder[] = "/usr/share/libonnx-testdata/data/node/";

template <typename Message>
Message Parse(const std::string& path) {
  Message message;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(message.ParseFromIstream(&file)) << path;
  return message;
}

struct Case {
  std::string name;
  std::vector<int> slots;  // which of ours ONNX's state tensors are
  float epsilon = 0;       // in place of the node's, unless 0
};

// Their values are floats.
MATCHER(Near, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= 2e-6; }

class OnnxOptimizer : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(kFolder, "test_", GetParam().name);
    if (!std::filesystem::exists(folder_)) {
      GTEST_SKIP() << folder_ << " is not there (package libonnx-testdata)";
    }
    const auto model = Parse<onnx::ModelProto>(folder_ + "/model.onnx");
    ASSERT_EQ(model.graph().node_size(), 1);
    node_ = model.graph().node(0);
    for (const auto& attribute : node_.attribute()) {
      numbers_[attribute.name()] = attribute.f();
      texts_[attribute.name()] = attribute.s();
    }
  }

  std::vector<double> Tensor(const std::string& kind, int index) const {
    const auto floats = FloatsOf(Parse<onnx::TensorProto>(
        absl::StrCat(folder_, "/test_data_set_0/", kind, "_", index, ".pb")));
    EXPECT_TRUE(floats.ok()) << floats.status();
    return {floats->begin(), floats->end()};
  }
  double Number(const std::string& name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? 0 : found->second;
  }
  float F(const std::string& name) const { return static_cast<float>(Number(name)); }

  Update Rule() const {
    const float epsilon = GetParam().epsilon != 0 ? GetParam().epsilon : F("epsilon");
    const UpdateTerms terms = {.weight_decay = F("norm_coefficient")};
    if (node_.op_type() == "Adam") return Adam{F("alpha"), F("beta"), epsilon, terms};
    if (node_.op_type() == "Adagrad") return Adagrad{0, epsilon, terms};
    return SgdMomentum{F("alpha"), texts_.at("mode") == "nesterov", terms};
  }

  std::string folder_;
  onnx::NodeProto node_;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
};

TEST_P(OnnxOptimizer, GivesTheSameWeightsAndState) {
  const std::vector<int>& slots = GetParam().slots;
  const int states = static_cast<int>(slots.size());
  ASSERT_EQ((node_.input_size() - 2) % (2 + states), 0);
  const int tensors = (node_.input_size() - 2) / (2 + states);
  const auto step = IntsOf(Parse<onnx::TensorProto>(folder_ + "/test_data_set_0/input_1.pb"));
  ASSERT_TRUE(step.ok()) << step.status();
  ASSERT_THAT(*step, ::testing::ElementsAre(0)) << "T";
  ASSERT_EQ(Number("norm_coefficient_post"), 0);
  for (int i = 0; i < tensors; ++i) {
    UpdateRun run(Rule(), Tensor("input", 2 + i));
    for (int k = 0; k < states; ++k) {
      run.set_slot(slots[k], Tensor("input", 2 + (2 + k) * tensors + i));
    }
    run.set_step(1'000'000);
    run.Step(Tensor("input", 2 + tensors + i), Tensor("input", 0)[0]);
    EXPECT_THAT(run.weights(), ::testing::Pointwise(Near(), Tensor("output", i)));
    for (int k = 0; k < states; ++k) {
      EXPECT_THAT(run.slot(slots[k]),
                  ::testing::Pointwise(Near(), Tensor("output", (1 + k) * tensors + i)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OnnxOptimizer,
                         ::testing::Values(Case{"adam", {0, 1}},
                                           Case{"adam_multiple", {0, 1}, 0.01f},
                                           Case{"adagrad", {0}}, Case{"adagrad_multiple", {0}},
                                           Case{"momentum", {0}}, Case{"momentum_multiple", {0}},
                                           Case{"nesterov_momentum", {0}}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace fovea
