// Every pass keeps the meaning: a net compiled with and without them gives the same answers.
#include "core/compile/passes.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/compile/buckets.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

int CountOps(const Program& program, const std::string& op) {
  return static_cast<int>(std::count_if(program.steps().begin(), program.steps().end(),
                                        [&](const Step& step) { return step.op == op; }));
}

class NetInference : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const int side = GetParam() == "lenet" ? 28 : 32;
    absl::StatusOr<Net> net = BuildNet(SmallNet(GetParam(), side, 3), 2);
    ASSERT_TRUE(net.ok()) << net.status();
    weights_ = *Weights::Create(ReferenceBackend(), net->graph, {});
    ASSERT_STATUS_OK(Initialize(*net, 3, *weights_));
    Disturb<float>(*weights_, 5);
    graph_ = net->graph;
  }

  std::vector<float> Run(const std::shared_ptr<const Program>& program) {
    auto executor = Executor::Create(program, weights_);
    EXPECT_TRUE(executor.ok()) << executor.status();
    EXPECT_TRUE((*executor)->SetInput("pixels", RandomPixels(program->inputs()[0].type, 11)).ok());
    EXPECT_TRUE((*executor)->Run().ok());
    const TensorView output = (*executor)->output(0);
    return {output.as<float>(), output.as<float>() + output.count()};
  }

  std::shared_ptr<Weights> weights_;
  Graph graph_;
};

TEST_P(NetInference, GivesTheSameAnswersWithAndWithoutPasses) {
  auto plain = Compile(graph_, ReferenceBackend(), {.optimize = false});
  auto optimized = Compile(graph_, ReferenceBackend(), {});
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_TRUE(optimized.ok()) << optimized.status();
  EXPECT_LE((*optimized)->steps().size(), (*plain)->steps().size());
  EXPECT_EQ(CountOps(**optimized, "BatchNorm"), 0);
  EXPECT_EQ(CountOps(**optimized, "Activate"), 0);
  EXPECT_EQ(CountOps(**optimized, "Add"), 0);
  const std::vector<float> a = Run(*plain), b = Run(*optimized);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(a[i]))) << i;
}

TEST_P(NetInference, PlansLessMemoryThanTheSumOfItsValues) {
  auto program = Compile(graph_, ReferenceBackend(), {});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_LT((*program)->arena_bytes(), (*program)->unshared_bytes());
}

TEST_P(NetInference, GivesEveryExampleTheSameAnswerInEveryBucket) {
  auto programs = BucketPrograms::Create(graph_, weights_, {.max_batch = 4, .compile = {}});
  ASSERT_TRUE(programs.ok()) << programs.status();
  auto executor = BucketExecutor::Create(*programs);
  ASSERT_TRUE(executor.ok()) << executor.status();
  Type type = graph_.type(graph_.Find("pixels"));
  type.dims[0] = 5;
  const Tensor pixels = RandomPixels(type, 13);
  std::vector<const uint8_t*> examples;
  for (int i = 0; i < 5; ++i) {
    examples.push_back(pixels.as<uint8_t>() + i * (*programs)->example_bytes());
  }
  std::vector<float> together(15), alone(15);
  ASSERT_STATUS_OK((*executor)->Run(examples, together.data()));
  for (int i = 0; i < 5; ++i) {
    ASSERT_STATUS_OK((*executor)->Run({&examples[i], 1}, alone.data() + i * 3));
  }
  for (int i = 0; i < 15; ++i)
    EXPECT_NEAR(together[i], alone[i], 1e-5 * (1 + std::abs(alone[i]))) << i;
}

TEST_P(NetInference, RecomputesThePrologueWhenTheWeightsChange) {
  auto program = Compile(graph_, ReferenceBackend(), {});
  ASSERT_TRUE(program.ok()) << program.status();
  auto executor = Executor::Create(*program, weights_);
  ASSERT_TRUE(executor.ok()) << executor.status();
  const Tensor pixels = RandomPixels((*program)->inputs()[0].type, 11);
  ASSERT_STATUS_OK((*executor)->SetInput("pixels", pixels));
  ASSERT_STATUS_OK((*executor)->Run());
  const TensorView output = (*executor)->output(0);
  const std::vector<float> before(output.as<float>(), output.as<float>() + output.count());

  Disturb<float>(*weights_, 23);
  ASSERT_STATUS_OK((*executor)->SetInput("pixels", pixels));
  ASSERT_STATUS_OK((*executor)->Run());
  auto plain = Compile(graph_, ReferenceBackend(), {.optimize = false});
  const std::vector<float> expected = Run(*plain);
  double change = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(output.as<float>()[i], expected[i], 1e-4 * (1 + std::abs(expected[i])));
    change += std::abs(expected[i] - before[i]);
  }
  EXPECT_GT(change, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Nets, NetInference,
                         ::testing::Values("mlp", "lenet", "resnet8", "mobilenet_v2"),
                         [](const auto& info) { return info.param; });

TEST(FuseInvertedResiduals, TakesEveryBlockOfMobileNetV2) {
  const auto net = BuildNet(SmallNet("mobilenet_v2", 32, 3), 2);
  ASSERT_TRUE(net.ok()) << net.status();
  const auto program = Compile(net->graph, ReferenceBackend(), {});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(CountOps(**program, "InvertedResidual"), 17);
  EXPECT_EQ(CountOps(**program, "Conv"), 2);  // the first and the last
}

TEST(FuseInvertedResiduals, LeavesAnExpansionThatIsReadElsewhere) {
  Graph graph;
  const auto parameter = [&graph](const char* name, const Dims& dims) {
    return graph.AddParameter(name, dims);
  };
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 4, 5, 5}});
  Conv pointwise, depthwise;
  pointwise.has_bias = depthwise.has_bias = true;
  depthwise.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  depthwise.group = 8;
  const ValueId expanded =
      *graph.Add1("expand", pointwise, {x, parameter("we", {8, 4, 1, 1}), parameter("be", {8})});
  const ValueId filtered = *graph.Add1(
      "filter", depthwise, {expanded, parameter("wd", {8, 1, 3, 3}), parameter("bd", {8})});
  const ValueId projected = *graph.Add1(
      "project", pointwise, {filtered, parameter("wp", {4, 8, 1, 1}), parameter("bp", {4})});
  graph.MarkOutput(projected);
  graph.MarkOutput(expanded);
  graph.AssignRegions();
  ASSERT_STATUS_OK(FuseInvertedResiduals(graph, ReferenceBackend()));
  ASSERT_STATUS_OK(Verify(graph));
  ASSERT_EQ(graph.nodes().size(), 2u);
  EXPECT_FALSE(std::get<InvertedResidual>(graph.nodes()[1].attrs).has_expansion);
}

TEST(FuseResidual, LeavesAnAddWhoseOtherOperandIsReadLater) {
  // y = conv(x); s = x' + y where x' = relu(x0) is read again afterwards.
  Graph graph;
  const ValueId input = graph.AddInput("x", {DType::kF32, {1, 2, 4, 4}});
  const ValueId weight = graph.AddParameter("w", {2, 2, 1, 1});
  const ValueId start = *graph.Add1("start", Activate{{Activation::kRelu}}, {input});
  Conv conv;
  const ValueId y = *graph.Add1("conv", conv, {start, weight});
  const ValueId sum = *graph.Add1("sum", Add{}, {start, y});
  const ValueId last = *graph.Add1("last", Add{}, {sum, start});
  graph.MarkOutput(last);
  graph.AssignRegions();
  ASSERT_STATUS_OK(FuseResidual(graph, ReferenceBackend()));
  EXPECT_EQ(graph.nodes().size(), 4u) << ToText(graph);
}

TEST(FuseResidual, SumsIntoAShortcutThatIsDeadAfterTheAdd) {
  Graph graph;
  const ValueId input = graph.AddInput("x", {DType::kF32, {1, 2, 4, 4}});
  const ValueId weight = graph.AddParameter("w", {2, 2, 1, 1});
  const ValueId start = *graph.Add1("start", Activate{{Activation::kRelu}}, {input});
  const ValueId a = *graph.Add1("a", Conv{}, {start, weight});
  const ValueId b = *graph.Add1("b", Conv{}, {a, weight});
  const ValueId sum = *graph.Add1("sum", Add{{Activation::kRelu}}, {b, start});
  graph.MarkOutput(sum);
  graph.AssignRegions();
  ASSERT_STATUS_OK(FuseResidual(graph, ReferenceBackend()));
  ASSERT_STATUS_OK(Verify(graph));
  ASSERT_EQ(graph.nodes().size(), 3u) << ToText(graph);
  const Conv& fused = std::get<Conv>(graph.nodes()[2].attrs);
  EXPECT_TRUE(fused.has_residual);
  EXPECT_EQ(fused.activation.kind, Activation::kRelu);
  EXPECT_THAT(graph.nodes()[2].inputs, ::testing::ElementsAre(a, weight, start));
}

}  // namespace
}  // namespace fovea
