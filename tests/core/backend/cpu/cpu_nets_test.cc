// Whole nets on the cpu backend: every convolution and dense has a fast, direct kernel, and what
// comes out is what the reference backend computes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <variant>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/reference/reference_backend.h"
#include "core/graph/op_def.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr int kBatch = 4;

NetOptions Options(const std::string& name, int side) {
  NetOptions options;
  options.name = name;
  if (name == "text") options.text = kManyLayers;
  options.height = options.width = side;
  options.channels = 3;
  options.labels = 5;
  return options;
}

struct Mode {
  bool training = false;
  LayoutPlan plan = LayoutPlan::kDefault;
  DType compute_type = DType::kF32;
};

const auto kPlans =
    testing::Values(LayoutPlan::kNhwc, LayoutPlan::kBlocked, LayoutPlan::kBlockedWinograd);

absl::StatusOr<Graph> GraphFor(const Net& net, bool training) {
  if (!training) return WithHead(net, Head::kSoftmax);
  TrainingGraphOptions options;
  options.update = SgdMomentum{0.9f, false, {.weight_decay = 1e-4f}};
  return TrainingGraph(net.graph, net.logits, options);
}

CompileOptions CompileFor(const Mode& mode) {
  CompileOptions options;
  options.training = mode.training;
  options.layout_plan = mode.plan;
  options.compute_type = mode.compute_type;
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
    if (plan != LayoutPlan::kBlockedWinograd) {
      EXPECT_THAT(step.kernel_name, Not(HasSubstr("wino"))) << step.name;
    }
    EXPECT_THAT(step.kernel_name, Not(StartsWith("gemm"))) << step.name;
  }
}

std::string KernelsName(const testing::TestParamInfo<CpuNetKernels::ParamType>& info) {
  const auto& [name, training, plan] = info.param;
  return std::string(name) + (training ? "_training_" : "_inference_") + LayoutPlanName(plan);
}
INSTANTIATE_TEST_SUITE_P(
    Nets, CpuNetKernels,
    testing::Combine(testing::Values("mlp", "lenet", "resnet8", "resnet20", "resnet56", "resnet18",
                                     "resnet34", "resnet50", "vgg11", "vgg11_bn", "mobilenet_v2",
                                     "mobilenet_v3_small", "text"),
                     testing::Bool(), kPlans),
    KernelsName);

// How many convolutions of a program run by Winograd's algorithm, by op.
std::map<std::string, int> WinogradSteps(const Program& program) {
  std::map<std::string, int> count;
  for (const Step& step : program.steps()) {
    if (step.kernel_name.find("wino") != std::string::npos) ++count[step.op];
  }
  return count;
}

TEST(CpuWinograd, RunsTheConvolutionsThatGainByItInAllDirections) {
  // At 64 x 64, resnet8 has two 3x3 convolutions of stride 1 with 16 channels, one with 32 and one
  // with 64; the first has 3 channels, and the others have stride 2.
  const auto net = BuildNet(Options("resnet8", 64), 8);
  ASSERT_TRUE(net.ok()) << net.status();
  const auto program = Compile(*GraphFor(*net, /*training=*/true), CpuBackend(),
                               CompileFor({true, LayoutPlan::kBlockedWinograd}));
  ASSERT_TRUE(program.ok()) << program.status();
  if (cpu::BlockChannels() < 16) GTEST_SKIP() << "Winograd's kernels need AVX-512";
  EXPECT_THAT(WinogradSteps(**program),
              UnorderedElementsAre(Pair("Conv", 4), Pair("ConvBackwardData", 4),
                                   Pair("ConvBackwardWeights", 4)));
  EXPECT_EQ((*program)->layout_plan(), LayoutPlan::kBlockedWinograd);
  size_t largest_scratch = 0;
  std::set<size_t> places_of_ours;
  for (const Step& step : (*program)->steps()) {
    largest_scratch = std::max(largest_scratch, step.scratch_bytes);
    if (step.kernel_name.starts_with("fovea:winograd")) places_of_ours.insert(step.scratch_offset);
  }
  EXPECT_THAT(places_of_ours, SizeIs(1));  // so that it stays in the threads' caches
  EXPECT_GT(largest_scratch, 1u << 20);    // transformed tiles, in the arena
  EXPECT_GE((*program)->arena_bytes(), largest_scratch);
}

// ---- bf16.

bool HasBf16() {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kBF16, {16, 64}});
  EXPECT_TRUE(
      graph.Add1("dense", Dense{}, {x, graph.AddInput("w", {DType::kBF16, {64, 64}})}).ok());
  return CpuBackend().Supports(graph, graph.nodes()[0]);
}

// The weights' gradients of stride 2 and few channels, which gain nothing from bf16.
bool StaysInF32(const Node& node) {
  const auto* op = std::get_if<ConvBackwardWeights>(&node.attrs);
  return op != nullptr && op->forward.window.stride == std::array{2, 2} &&
         op->forward.window.kernel == std::array{3, 3} && op->weight[1] >= 16 &&
         op->weight[0] <= 64;
}

class CpuNetKernelsInBf16 : public testing::TestWithParam<const char*> {};

TEST_P(CpuNetKernelsInBf16, MultiplyBf16InEveryConvolutionAndDense) {
  if (!HasBf16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
  const auto net = BuildNet(Options(GetParam(), 64), kBatch);
  ASSERT_TRUE(net.ok()) << net.status();
  const auto program = Compile(*GraphFor(*net, /*training=*/true), CpuBackend(),
                               CompileFor({true, LayoutPlan::kBlocked, DType::kBF16}));
  ASSERT_TRUE(program.ok()) << program.status();
  const Graph& graph = (*program)->graph();
  for (const Node& node : graph.nodes()) {
    if (OpOf(node.attrs).flops(node, graph.InputTypes(node)) == 0) continue;
    const DType expected = StaysInF32(node) ? DType::kF32 : DType::kBF16;
    for (int i : {0, 1}) EXPECT_EQ(graph.type(node.inputs[i]).dtype, expected) << node.name;
  }
  for (const Value& value : graph.values()) {
    if (value.role == Role::kTemporary) continue;
    EXPECT_NE(value.type.dtype, DType::kBF16) << value.name;
  }
  for (const Step& step : (*program)->steps()) {
    if (step.flops == 0) continue;
    EXPECT_THAT(step.kernel_name, Not(HasSubstr("ref"))) << step.name;
    EXPECT_THAT(step.kernel_name, Not(StartsWith("gemm"))) << step.name;
  }
}
INSTANTIATE_TEST_SUITE_P(Nets, CpuNetKernelsInBf16,
                         testing::Values("mlp", "lenet", "resnet8", "resnet20", "resnet18",
                                         "resnet50", "mobilenet_v2"));

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
                                          kPlans),
                         NetName);
INSTANTIATE_TEST_SUITE_P(Deep, CpuNet,
                         testing::Combine(testing::Values("resnet8", "mobilenet_v2", "text"),
                                          testing::Values(32), kPlans),
                         NetName);
INSTANTIATE_TEST_SUITE_P(SqueezeAndExcite, CpuNet,
                         testing::Combine(testing::Values("mobilenet_v3_small"),
                                          testing::Values(32), kPlans),
                         NetName);

class CpuNetInBf16 : public testing::TestWithParam<std::tuple<const char*, int>> {
 protected:
  void SetUp() override {
    if (!HasBf16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
  }
  static NetRun Run() {
    const auto& [name, side] = GetParam();
    return NetRun(CpuBackend(), name, side, {true, LayoutPlan::kBlocked, DType::kBF16});
  }
};

TEST_P(CpuNetInBf16, TrainsNearlyLikeTheReference) {
  const auto& [name, side] = GetParam();
  NetRun reference(ReferenceBackend(), name, side, {true});
  NetRun cpu = Run();
  for (int step = 0; step < 3; ++step) {
    const float expected = reference.Step(step)[0], actual = cpu.Step(step)[0];
    EXPECT_NEAR(actual, expected, 0.03 * std::abs(expected)) << "step " << step;
  }
}

TEST_P(CpuNetInBf16, TrainsBitForBitTheSameTwice) {
  NetRun first = Run(), second = Run();
  for (int step = 0; step < 3; ++step) EXPECT_EQ(first.Step(step), second.Step(step));
  EXPECT_EQ(*first.weights->ReadRegion(Role::kParameter),
            *second.weights->ReadRegion(Role::kParameter));
}

INSTANTIATE_TEST_SUITE_P(Nets, CpuNetInBf16,
                         testing::Values(std::tuple("lenet", 28), std::tuple("mlp", 28),
                                         std::tuple("resnet8", 32),
                                         std::tuple("mobilenet_v2", 32)));

}  // namespace
}  // namespace fovea
