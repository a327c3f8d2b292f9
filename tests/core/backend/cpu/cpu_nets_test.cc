// Whole nets on the cpu backend: every convolution and dense has a fast, direct kernel, and what
// comes out is what the reference backend computes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kBatch = 4;

NetOptions Options(const std::string& name, int side) {
  NetOptions options;
  options.name = name;
  options.height = options.width = side;
  options.channels = 3;
  options.labels = 5;
  return options;
}

struct Mode {
  bool training = false;
  LayoutPlan plan = LayoutPlan::kDefault;
};

absl::StatusOr<Graph> GraphFor(const Net& net, bool training) {
  if (!training) return WithHead(net, Head::kSoftmax);
  TrainingGraphOptions options;
  options.update = SgdMomentum{0.9f, 1e-4f};
  return TrainingGraph(net.graph, net.logits, options);
}

CompileOptions CompileFor(const Mode& mode) {
  CompileOptions options;
  options.training = mode.training;
  options.layout_plan = mode.plan;
  options.width = 2;
  return options;
}

// ---- Kernels.

class CpuNetKernels : public testing::TestWithParam<std::tuple<const char*, bool, LayoutPlan>> {};

TEST_P(CpuNetKernels, AreFastAndDirect) {
  const auto& [name, training, plan] = GetParam();
  const auto net = BuildNet(Options(name, 64), kBatch);
  ASSERT_TRUE(net.ok()) << net.status();
  auto graph = GraphFor(*net, training);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto program = Compile(*std::move(graph), CpuBackend(), CompileFor({training, plan}));
  ASSERT_TRUE(program.ok()) << program.status();
  for (const Step& step : (*program)->steps()) {
    if (step.flops == 0) continue;
    EXPECT_THAT(step.kernel_name, Not(HasSubstr("ref"))) << step.name;
    EXPECT_THAT(step.kernel_name, Not(HasSubstr("wino"))) << step.name;
    EXPECT_THAT(step.kernel_name, Not(StartsWith("gemm"))) << step.name;
  }
}

std::string KernelsName(const testing::TestParamInfo<CpuNetKernels::ParamType>& info) {
  const auto& [name, training, plan] = info.param;
  return std::string(name) + (training ? "_training_" : "_inference_") + LayoutPlanName(plan);
}
INSTANTIATE_TEST_SUITE_P(Nets, CpuNetKernels,
                         testing::Combine(testing::Values("mlp", "lenet", "resnet8", "resnet20",
                                                          "resnet18", "resnet50", "mobilenet_v2"),
                                          testing::Bool(),
                                          testing::Values(LayoutPlan::kNhwc, LayoutPlan::kBlocked)),
                         KernelsName);

// ---- Values.

// A net with its memory on one backend.
struct NetRun {
  NetRun(const Backend& backend, const std::string& name, int side, const Mode& mode) {
    const auto net = BuildNet(Options(name, side), kBatch);
    auto graph = GraphFor(*net, mode.training);
    weights = *Weights::Create(backend, *graph, {mode.training ? 1 : 0, mode.training});
    EXPECT_TRUE(Initialize(*net, 3, *weights).ok());
    Disturb<float>(*weights, 5);
    auto program = Compile(*std::move(graph), backend, CompileFor(mode));
    EXPECT_TRUE(program.ok()) << program.status();
    executor = *Executor::Create(*program, weights);
  }

  // One run on the pixels of a seed; the first output.
  std::vector<float> Step(uint64_t seed) {
    const Program& program = executor->program();
    const Type pixels = program.inputs()[program.FindInput("pixels")].type;
    EXPECT_TRUE(executor->SetInput("pixels", RandomPixels(pixels, seed)).ok());
    if (program.FindInput("targets") >= 0) {
      Tensor targets({DType::kF32, {kBatch, 5}}), example_weights({DType::kF32, {kBatch}});
      for (int i = 0; i < kBatch; ++i) {
        targets.as<float>()[i * 5 + i % 5] = 1;
        example_weights.as<float>()[i] = 1;
      }
      EXPECT_TRUE(executor->SetInput("targets", targets).ok());
      EXPECT_TRUE(executor->SetInput("example_weights", example_weights).ok());
      EXPECT_TRUE(executor->SetScalar("learning_rate", 0.01).ok());
    }
    EXPECT_TRUE(executor->Run().ok());
    weights->Touch();
    const TensorView output = executor->output(0);
    return {output.as<float>(), output.as<float>() + output.count()};
  }

  std::shared_ptr<Weights> weights;
  std::unique_ptr<Executor> executor;
};

class CpuNet : public testing::TestWithParam<std::tuple<const char*, int, LayoutPlan>> {};

TEST_P(CpuNet, PredictsLikeTheReference) {
  const auto& [name, side, plan] = GetParam();
  const std::vector<float> expected = NetRun(ReferenceBackend(), name, side, {}).Step(1);
  const std::vector<float> actual = NetRun(CpuBackend(), name, side, {false, plan}).Step(1);
  EXPECT_THAT(actual, testing::Pointwise(testing::FloatNear(1e-4f), expected));
}

TEST_P(CpuNet, TrainsLikeTheReference) {
  const auto& [name, side, plan] = GetParam();
  NetRun reference(ReferenceBackend(), name, side, {true});
  NetRun cpu(CpuBackend(), name, side, {true, plan});
  for (int step = 0; step < 3; ++step) {
    const float expected = reference.Step(step)[0], actual = cpu.Step(step)[0];
    EXPECT_NEAR(actual, expected, 1e-3 * std::abs(expected)) << "step " << step;
  }
}

TEST_P(CpuNet, TrainsBitForBitTheSameTwice) {
  const auto& [name, side, plan] = GetParam();
  NetRun first(CpuBackend(), name, side, {true, plan}),
      second(CpuBackend(), name, side, {true, plan});
  for (int step = 0; step < 3; ++step) EXPECT_EQ(first.Step(step), second.Step(step));
  EXPECT_EQ(*first.weights->ReadRegion(Role::kParameter),
            *second.weights->ReadRegion(Role::kParameter));
}

std::string NetName(const testing::TestParamInfo<CpuNet::ParamType>& info) {
  const auto& [name, side, plan] = info.param;
  return std::string(name) + "_" + LayoutPlanName(plan);
}
INSTANTIATE_TEST_SUITE_P(Lenet, CpuNet,
                         testing::Combine(testing::Values("lenet", "mlp"), testing::Values(28),
                                          testing::Values(LayoutPlan::kNhwc, LayoutPlan::kBlocked)),
                         NetName);
INSTANTIATE_TEST_SUITE_P(Deep, CpuNet,
                         testing::Combine(testing::Values("resnet8", "mobilenet_v2"),
                                          testing::Values(32),
                                          testing::Values(LayoutPlan::kNhwc, LayoutPlan::kBlocked)),
                         NetName);

}  // namespace
}  // namespace fovea
