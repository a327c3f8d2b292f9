#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/backend/reference/reference_backend.h"
#include "core/compile/compile.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

// y = w x, x [2,3], w [1,3].
class DenseProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    const ValueId x = graph_.AddInput("x", {DType::kF32, {2, 3}});
    const ValueId w = graph_.AddParameter("w", {1, 3});
    graph_.MarkOutput(*graph_.Add1("y", Dense{}, {x, w}));
    graph_.AssignRegions();
    weights_ = *Weights::Create(ReferenceBackend(), graph_, {});
    auto program = Compile(graph_, ReferenceBackend(), {});
    ASSERT_TRUE(program.ok()) << program.status();
    executor_ = *Executor::Create(*program, weights_);
  }

  static Tensor Filled(Dims dims, std::vector<float> values) {
    Tensor tensor({DType::kF32, dims});
    std::copy(values.begin(), values.end(), tensor.as<float>());
    return tensor;
  }

  Graph graph_;
  std::shared_ptr<Weights> weights_;
  std::unique_ptr<Executor> executor_;
};

TEST_F(DenseProgram, ComputesFromItsInputAndWeights) {
  ASSERT_TRUE(weights_->Set("w", Filled({1, 3}, {1, 10, 100})).ok());
  ASSERT_TRUE(executor_->SetInput("x", Filled({2, 3}, {1, 2, 3, 4, 5, 6})).ok());
  ASSERT_TRUE(executor_->Run().ok());
  const Tensor y({DType::kF32, {2, 1}});
  ASSERT_TRUE(executor_->GetOutput("y", y).ok());
  EXPECT_EQ(y.as<float>()[0], 321);
  EXPECT_EQ(y.as<float>()[1], 654);
}

TEST_F(DenseProgram, NamesThePortsItHasWhenAskedForAnother) {
  const absl::Status status = executor_->SetInput("z", Filled({2, 3}, {}));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it has: x"));
}

TEST_F(DenseProgram, NamesBothTypesWhenAnInputHasTheWrongOne) {
  const absl::Status status = executor_->SetInput("x", Filled({3, 2}, {}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("f32[2,3], found f32[3,2]"));
}

TEST_F(DenseProgram, GivesBackTheWeightsThatWereSet) {
  ASSERT_TRUE(weights_->Set("w", Filled({1, 3}, {7, 8, 9})).ok());
  const absl::StatusOr<Tensor> w = weights_->Get("w");
  ASSERT_TRUE(w.ok());
  EXPECT_EQ(w->as<float>()[2], 9);
  EXPECT_EQ(weights_->Get("v").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(weights_->Set("w", Filled({3}, {1, 2, 3})).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DenseProgram, RestoresARegionFromItsBytes) {
  ASSERT_TRUE(weights_->Set("w", Filled({1, 3}, {7, 8, 9})).ok());
  const absl::StatusOr<std::string> bytes = weights_->ReadRegion(Role::kParameter);
  ASSERT_TRUE(bytes.ok());
  const uint64_t version = weights_->version();
  ASSERT_TRUE(weights_->Set("w", Filled({1, 3}, {0, 0, 0})).ok());
  ASSERT_TRUE(weights_->WriteRegion(Role::kParameter, *bytes).ok());
  EXPECT_EQ(weights_->Get("w")->as<float>()[0], 7);
  EXPECT_GT(weights_->version(), version);
  EXPECT_EQ(weights_->WriteRegion(Role::kParameter, "short").code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DenseProgram, RefusesAnArenaThatIsTooSmall) {
  Executor::Options options;
  options.arena = *ReferenceBackend().Allocate(1);
  const auto program = Compile(graph_, ReferenceBackend(), {});
  const auto executor = Executor::Create(*program, weights_, options);
  EXPECT_EQ(executor.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fovea
