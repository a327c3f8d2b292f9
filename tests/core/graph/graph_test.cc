#include "core/graph/graph.h"

#include <string>
#include <vector>

#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Type kRow = {DType::kF32, {4, 8}};

Activate Relu() { return {{Activation::kRelu}}; }

// ---- Building.

TEST(Graph, NumbersNamesThatAreTaken) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  EXPECT_EQ(graph.value(graph.AddInput("x", kRow)).name, "x_2");
  EXPECT_EQ(graph.value(*graph.Add1("x", Relu(), {x})).name, "x_3");
  EXPECT_EQ(graph.nodes()[0].name, "x");
  EXPECT_EQ(graph.value(*graph.Add1("x", Relu(), {x})).name, "x_2_2");
}

TEST(Graph, NamesFurtherOutputsAfterTheNode) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId c = graph.AddParameter("c", {8});
  const auto outputs = *graph.Add("norm", BatchNormTraining{}, {x, c, c});
  std::vector<std::string> names;
  for (ValueId id : outputs) names.push_back(graph.value(id).name);
  EXPECT_THAT(names, ElementsAre("norm", "norm:1", "norm:2", "norm:3"));
  EXPECT_TRUE(graph.value(outputs[3]).opaque);
  EXPECT_FALSE(graph.value(outputs[0]).opaque);
}

TEST(Graph, RefusesInputsThatDoNotExist) {
  Graph graph;
  EXPECT_EQ(graph.Add("a", Relu(), {7}).status().message(),
            "activate \"a\": input value 7 does not exist; there are 0");
  EXPECT_TRUE(graph.nodes().empty());
}

TEST(Graph, OverwritesOnlyWhatFits) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {16}});
  const ValueId state = graph.AddState("s", {16});
  const ValueId other = graph.AddState("t", {8});
  EXPECT_TRUE(graph.AddWriting("ok", Add{}, {x, state}, {state}).ok());
  EXPECT_EQ(graph.AddWriting("a", Add{}, {x, state}, {other}).message(),
            "node \"a\" overwrites \"t\" of type f32[8] with f32[16]");
  EXPECT_EQ(graph.AddWriting("a", Add{}, {x, state}, {x}).message(),
            "node \"a\" overwrites the input \"x\"");
  EXPECT_EQ(graph.AddWriting("a", Add{}, {x, state}, {}).message(),
            "node \"a\" has 0 outputs, expected 1");
}

TEST(Graph, MakesConstantsOfItsFloatType) {
  Graph graph;
  graph.set_float_type(DType::kF64);
  EXPECT_EQ(graph.type(*graph.Add1("one", Fill{1}, {})).dtype, DType::kF64);
  EXPECT_EQ(graph.type(graph.AddParameter("w", {3})).dtype, DType::kF64);
}

// ---- Regions.

TEST(Regions, PutParametersThatDecayFirstAtMultiplesOf16) {
  Graph graph;
  const ValueId bias = graph.AddParameter("bias", {17});
  const ValueId conv = graph.AddParameter("conv", {3, 3, 1, 1});
  const ValueId shift = graph.AddParameter("shift", {16});
  const ValueId dense = graph.AddParameter("dense", {4, 5});
  const ValueId mean = graph.AddState("mean", {17}), variance = graph.AddState("variance", {17});
  graph.AssignRegions();
  EXPECT_EQ(graph.value(conv).offset, 0);
  EXPECT_EQ(graph.value(dense).offset, 16);
  EXPECT_EQ(graph.value(bias).offset, 48);
  EXPECT_EQ(graph.value(shift).offset, 80);
  EXPECT_EQ(graph.decayed_count(), 48);
  EXPECT_EQ(graph.region_count(Role::kParameter), 96);
  EXPECT_EQ(graph.region_count(Role::kGradient), 96);
  EXPECT_EQ(graph.value(mean).offset, 0);
  EXPECT_EQ(graph.value(variance).offset, 32);
  EXPECT_EQ(graph.region_count(Role::kState), 64);
}

TEST(Regions, GiveGradientsTheOffsetOfTheirParameter) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId bias = graph.AddParameter("bias", {8});
  graph.AddParameter("w", {8, 8});
  const ValueId db = *graph.Add1("db", BiasBackward{}, {x});
  graph.SetGradient(bias, db);
  graph.AssignRegions();
  EXPECT_EQ(graph.value(db).role, Role::kGradient);
  EXPECT_EQ(graph.value(db).offset, 64);
  EXPECT_EQ(graph.parameter_of(db), bias);
  EXPECT_EQ(graph.parameter_of(bias), kNoValue);
  EXPECT_THAT(graph.ValuesOf(Role::kGradient), ElementsAre(db));
}

TEST(Regions, HaveOneSpanningValueThatIsNoMember) {
  Graph graph;
  const ValueId w = graph.AddParameter("w", {8, 8});
  graph.AssignRegions();
  const ValueId all = graph.AddRegion(Role::kParameter);
  EXPECT_EQ(graph.AddRegion(Role::kParameter), all);
  EXPECT_EQ(graph.value(all).name, "parameters");
  EXPECT_TRUE(graph.value(all).spans_region);
  EXPECT_EQ(graph.type(all).dims, Dims({64}));
  EXPECT_THAT(graph.ValuesOf(Role::kParameter), ElementsAre(w));
  EXPECT_EQ(graph.region_count(Role::kParameter), 64);
}

TEST(Regions, OfSlotsFollowOneAnotherAndGrowWithTheParameters) {
  Graph graph;
  graph.AddParameter("w", {8, 8});
  graph.AssignRegions();
  const ValueId first = graph.AddSlot("slot0"), second = graph.AddSlot("slot1");
  const ValueId all = graph.AddRegion(Role::kParameter);
  EXPECT_EQ(graph.value(second).offset, 64);
  graph.AddParameter("v", {3});
  graph.AssignRegions();
  EXPECT_EQ(graph.type(first).dims, Dims({80}));
  EXPECT_EQ(graph.value(second).offset, 80);
  EXPECT_EQ(graph.type(all).dims, Dims({80}));
}

// ---- Reading and rewriting.

TEST(Graph, KnowsReadersAndProducers) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId y = *graph.Add1("y", Relu(), {x});
  const ValueId z = *graph.Add1("z", Add{}, {y, y});
  const ValueId s = graph.AddState("s", {4, 8});
  ASSERT_TRUE(graph.AddWriting("w", Add{}, {s, z}, {s}).ok());
  const auto readers = graph.Readers();
  EXPECT_THAT(readers[x], ElementsAre(0));
  EXPECT_THAT(readers[y], ElementsAre(1));  // once, although it stands there twice
  EXPECT_THAT(readers[z], ElementsAre(2));
  const auto producers = graph.Producers();
  EXPECT_EQ(producers[x], -1);
  EXPECT_EQ(producers[z], 1);
  EXPECT_EQ(producers[s], -1);  // overwritten, not produced
  EXPECT_EQ(graph.Find("z"), z);
  EXPECT_EQ(graph.Find("none"), kNoValue);
}

TEST(Graph, ReplacesUsesInNodesAndOutputs) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId y = *graph.Add1("y", Relu(), {x});
  const ValueId z = *graph.Add1("z", Add{}, {y, y});
  graph.MarkOutput(y);
  graph.ReplaceUses(y, x);
  EXPECT_THAT(graph.nodes()[1].inputs, ElementsAre(x, x));
  EXPECT_THAT(graph.outputs(), ElementsAre(x));
  EXPECT_EQ(graph.Producers()[z], 1);
}

TEST(Prune, DropsWhatNobodyReads) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId a = *graph.Add1("a", Relu(), {x});
  ASSERT_TRUE(graph.Add1("dead", Relu(), {a}).ok());
  const ValueId b = *graph.Add1("b", Relu(), {a});
  graph.AddParameter("unused", {3});
  graph.AddValue("left over", kRow, Role::kTemporary);
  graph.MarkOutput(b);
  graph.Prune();
  EXPECT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(ToText(graph),
            "input x f32[4,8]\n"
            "parameter unused f32[3]\n"
            "a = Activate(x) activation=relu : f32[4,8]\n"
            "b = Activate(a) activation=relu : f32[4,8]\n"
            "output b\n");
  EXPECT_EQ(graph.Find("left over"), kNoValue);
}

TEST(Prune, KeepsWritersAndGradientsAndTheirParameters) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  ASSERT_TRUE(graph.Add1("dead", Relu(), {x}).ok());
  const ValueId w = graph.AddParameter("w", {8});
  const ValueId dw = *graph.Add1("dw", BiasBackward{}, {x});
  graph.SetGradient(w, dw);
  const ValueId s = graph.AddState("s", {4, 8});
  ASSERT_TRUE(graph.AddWriting("write", Add{}, {s, x}, {s}).ok());
  graph.AssignRegions();
  graph.Prune();
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(graph.nodes().size(), 2u);
  EXPECT_EQ(graph.parameter_of(graph.Find("dw")), graph.Find("w"));
  EXPECT_THAT(graph.outputs(), IsEmpty());
}

TEST(Attrs, OfAnEditedNodeAreInferredAnew) {
  Graph graph;
  const ValueId x = graph.AddInput("x", kRow);
  const ValueId y = *graph.Add1("y", Reshape{{0, 2, 4}}, {x});
  graph.mutable_nodes()[0].attrs = Reshape{{0, 4, 2}};
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("inferred f32[4,4,2]"));
  graph.mutable_value(y).type.dims = {4, 4, 2};
  EXPECT_TRUE(Verify(graph).ok());
}

}  // namespace
}  // namespace fovea
