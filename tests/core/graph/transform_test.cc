#include <string>
#include <vector>

#include "core/graph/graph.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using testing::HasSubstr;

// pixels → normalize → conv → relu → flatten → dense, batch 2.
Graph Net() {
  Graph graph;
  const ValueId pixels = graph.AddInput("pixels", {DType::kU8, {2, 6, 6, 3}});
  const ValueId w = graph.AddParameter("conv.weight", {4, 3, 3, 3});
  const ValueId dense = graph.AddParameter("dense.weight", {5, 64});
  Conv conv;
  conv.window.kernel = {3, 3};
  ValueId x = *graph.Add1("normalize", Normalize{}, {pixels}, std::vector<float>(6, 0.5f));
  x = *graph.Add1("conv", conv, {x, w});
  x = *graph.Add1("relu", Activate{{Activation::kRelu}}, {x});
  x = *graph.Add1("flatten", Reshape{{0, -1}}, {x});
  x = *graph.Add1("logits", Dense{}, {x, dense});
  graph.MarkOutput(x);
  graph.AssignRegions();
  return graph;
}

TEST(WithBatch, InfersEverythingAgain) {
  const Graph net = Net();
  const auto larger = WithBatch(net, 7);
  ASSERT_TRUE(larger.ok()) << larger.status();
  EXPECT_TRUE(Verify(*larger).ok()) << Verify(*larger);
  EXPECT_EQ(larger->type(larger->Find("pixels")).dims, Dims({7, 6, 6, 3}));
  EXPECT_EQ(larger->type(larger->Find("flatten")).dims, Dims({7, 64}));
  EXPECT_EQ(larger->type(larger->outputs()[0]).dims, Dims({7, 5}));
  EXPECT_EQ(ToText(*WithBatch(*larger, 2)), ToText(net));
}

TEST(WithBatch, LeavesScalarsAndChangesExampleWeights) {
  Graph graph = Net();
  const ValueId logits = graph.outputs()[0];
  const ValueId targets = graph.AddInput("targets", {DType::kF32, {2, 5}});
  const ValueId weights = graph.AddInput("example_weights", {DType::kF32, {2}});
  const ValueId seed = graph.AddInput("seed", {DType::kI64, {1}});
  const ValueId dropped = *graph.Add1("dropout", Dropout{}, {logits, seed, seed});
  ASSERT_TRUE(graph.Add("loss", SoftmaxCrossEntropy{}, {dropped, targets, weights}).ok());
  const auto larger = WithBatch(graph, 3);
  ASSERT_TRUE(larger.ok()) << larger.status();
  EXPECT_EQ(larger->type(targets).dims, Dims({3, 5}));
  EXPECT_EQ(larger->type(weights).dims, Dims({3}));
  EXPECT_EQ(larger->type(seed).dims, Dims({1}));
  EXPECT_EQ(larger->type(larger->Find("loss")).dims, Dims({1}));
}

TEST(WithBatch, RefusesAttributesThatHoldTheBatch) {
  Graph graph = Net();
  const ValueId x = graph.Find("flatten");
  ASSERT_TRUE(graph.Add1("image", Reshape{{2, 4, 4, 4}}, {x}).ok());
  const absl::Status status = WithBatch(graph, 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("node \"image\" (Reshape dims=[2,4,4,4]) holds the batch size"));
}

TEST(WithBatch, RefusesBackwardNodes) {
  Graph graph = Net();
  const Conv conv = std::get<Conv>(graph.nodes()[1].attrs);
  ASSERT_TRUE(graph
                  .Add1("dx", ConvBackwardData{conv, {2, 3, 6, 6}},
                        {graph.Find("conv"), graph.Find("conv.weight")})
                  .ok());
  EXPECT_EQ(WithBatch(graph, 3).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WithBatch, RefusesABatchOfNothing) {
  EXPECT_EQ(WithBatch(Net(), 0).status().message(), "batch is 0, expected at least 1");
}

TEST(WithFloatType, ChangesValuesParametersAndConstants) {
  Graph net = Net();
  ASSERT_TRUE(net.Add1("half", Fill{0.5f}, {}).ok());
  ASSERT_TRUE(net.Add1("cast", Cast{}, {net.outputs()[0]}).ok());
  const Graph graph = WithFloatType(net, DType::kF64);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(graph.float_type(), DType::kF64);
  for (const Value& value : graph.values()) {
    EXPECT_EQ(value.type.dtype, value.name == "pixels" ? DType::kU8 : DType::kF64) << value.name;
  }
}

}  // namespace
}  // namespace fovea
