#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

TEST(ToText, ShowsEveryRoleAndNode) {
  Graph graph;
  const ValueId pixels = graph.AddInput("pixels", {DType::kU8, {2, 6, 6, 1}});
  const ValueId w = graph.AddParameter("conv.weight", {4, 1, 3, 3});
  const ValueId b = graph.AddParameter("conv.bias", {4});
  const ValueId state = graph.AddState("mean", {4});
  ValueId x = *graph.Add1("normalize", Normalize{}, {pixels}, {0.1307f, 0.3081f});
  Conv conv;
  conv.window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  conv.has_bias = true;
  conv.activation = {Activation::kClip, 0, 6};
  x = *graph.Add1("conv", conv, {x, w, b});
  Pool pool;
  pool.window = {{2, 2}, {1, 1}};
  pool.training = true;
  x = (*graph.Add("pool", pool, {x}))[0];
  const ValueId db = *graph.Add1("db", BiasBackward{}, {x});
  graph.SetGradient(b, db);
  graph.AssignRegions();
  const ValueId slot = graph.AddSlot("slot0");
  const ValueId all = graph.AddRegion(Role::kParameter);
  const ValueId gradients = graph.AddRegion(Role::kGradient);
  const ValueId rate = graph.AddInput("learning_rate", {DType::kF32, {1}});
  SgdMomentum sgd;
  sgd.terms.decayed = graph.decayed_count();
  ASSERT_TRUE(graph.AddWriting("update", sgd, {all, gradients, slot, rate}, {all, slot}).ok());
  ASSERT_TRUE(graph.AddWriting("write", Add{}, {state, db}, {state}).ok());
  graph.MarkOutput(x);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(ToText(graph),
            "input pixels u8[2,6,6,1]\n"
            "parameter conv.weight f32[4,1,3,3]\n"
            "parameter conv.bias f32[4] offset=48\n"
            "state mean f32[4]\n"
            "gradient db f32[4] offset=48 of conv.bias\n"
            "slot slot0 f32[64]\n"
            "parameter parameters f32[64] spans_region\n"
            "gradient gradients f32[64] spans_region\n"
            "input learning_rate f32[1]\n"
            "normalize = Normalize(pixels) constants=[0.1307,0.3081] : f32[2,1,6,6]\n"
            "conv = Conv(normalize, conv.weight, conv.bias) kernel=[3,3] stride=[2,2] "
            "pad=[1,1,1,1] has_bias=true activation=clip(0,6) : f32[2,4,3,3]\n"
            "pool, pool:1 = Pool(conv) kernel=[2,2] training=true : f32[2,4,2,2], i32[2,4,2,2]\n"
            "db = BiasBackward(pool) : f32[4]\n"
            "update: parameters, slot0 = SgdMomentum(parameters, gradients, slot0, "
            "learning_rate) decayed=48 : f32[64], f32[64]\n"
            "write: mean = Add(mean, db) : f32[4]\n"
            "output pool\n");
}

TEST(AttrsToText, ShowsWhatDiffersFromTheDefault) {
  const ActivationSpec leaky = {Activation::kLeakyRelu, 0.1f};
  Conv grouped;
  grouped.group = 8;
  grouped.window.dilation = {2, 1};
  for (const auto& [attrs, text] : std::vector<std::pair<Attrs, std::string>>{
           {Conv{}, "Conv"},
           {grouped, "Conv dilation=[2,1] group=8"},
           {ConvBackwardData{grouped, {1, 8, 3, 3}},
            "ConvBackwardData dilation=[2,1] group=8 input=[1,8,3,3]"},
           {Activate{leaky}, "Activate activation=leaky_relu(0.1)"},
           {Pool{PoolKind::kAverage}, "Pool kind=average"},
           {BatchNorm{1e-3f, 0.99f}, "BatchNorm epsilon=0.001 momentum=0.99"},
           {UpdateStatistics{0.9f, 128}, "UpdateStatistics count=128"},
           {Reshape{{0, -1}}, "Reshape dims=[0,-1]"},
           {Dropout{0.5f, 7}, "Dropout salt=7"},
           {Fill{0.1f, DType::kF64}, "Fill value=0.1 dtype=f64"},
           {SgdMomentum{0, true, {.weight_decay = 1e-4f, .decayed = 32}},
            "SgdMomentum momentum=0 nesterov=true weight_decay=1e-04 decayed=32"},
           {Adam{}, "Adam"},
           {AdagradDa{0.1f, 0.5f, 0}, "AdagradDa initial_accumulator=0.1 l1=0.5"},
           {RmsProp{0.9f, 0.5f, 1e-8f, true}, "RmsProp momentum=0.5 centered=true"},
           {NormScale{5, 0.5f}, "NormScale max_norm=5 clip_value=0.5"},
           {SumGradients{4}, "SumGradients count=4"},
           {Reorder{3}, "Reorder layout=3"},
           {Cast{DType::kBF16}, "Cast dtype=bf16"},
           {Softmax{}, "Softmax"}}) {
    EXPECT_EQ(AttrsToText(attrs), text);
  }
}

TEST(ConstantsToText, ReadsBackAsTheSameFloats) {
  EXPECT_EQ(ConstantsToText({}), "[]");
  EXPECT_EQ(ConstantsToText({0.5f, 0.1f, 1.0f / 3}), "[0.5,0.1,0.33333334]");
}

}  // namespace
}  // namespace fovea
