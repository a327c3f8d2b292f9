// The graphs that a training consists of, beside its gradients (net_gradient_test.cc).
#include "core/compile/training_graph.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/nets/net.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Net SmallNet() {
  NetOptions options;
  options.name = "resnet8";
  options.height = options.width = 8;
  options.channels = 1;
  options.labels = 3;
  options.mean = {0.5f};
  options.std = {0.25f};
  auto net = BuildNet(options, /*batch=*/2);
  EXPECT_TRUE(net.ok()) << net.status();
  return *std::move(net);
}

std::string TextOf(const absl::StatusOr<Graph>& graph) {
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return "";
  EXPECT_TRUE(Verify(*graph).ok()) << Verify(*graph);
  return ToText(*graph);
}

TrainingGraphOptions Clipped() {
  TrainingGraphOptions options;
  options.update = Adagrad{0.5f, 1e-6f, {.weight_decay = 0.25f, .clip_value = 2}};
  options.clip_norm = 3;
  return options;
}

TEST(TrainingGraph, ClipsTheGradientsOfAllWeightsTogether) {
  const Net net = SmallNet();
  const std::string text = TextOf(TrainingGraph(net.graph, net.logits, Clipped()));
  EXPECT_THAT(text, HasSubstr("clip = NormScale(gradients) max_norm=3 clip_value=2 : f32[1]"));
  EXPECT_THAT(text, HasSubstr("update: parameters, slot0 = Adagrad(parameters, gradients, slot0, "
                              "learning_rate, clip) initial_accumulator=0.5 epsilon=1e-06 "
                              "weight_decay=0.25 clip_value=2 scaled=true decayed="));
  EXPECT_THAT(text, Not(HasSubstr("input step")));
}

TEST(TrainingGraph, MultipliesTheRateOfNamedParameters) {
  const Net net = SmallNet();
  TrainingGraphOptions options = Clipped();
  const std::vector<ValueId> parameters = net.graph.ValuesOf(Role::kParameter);
  const ValueId first = *std::find_if(parameters.begin(), parameters.end(),
                                      [&](ValueId id) { return net.graph.value(id).offset == 0; });
  options.rate_factors[net.graph.value(first).name] = 0.5f;
  const auto graph = TrainingGraph(net.graph, net.logits, options);
  ASSERT_TRUE(graph.ok()) << graph.status();
  int64_t end = graph->region_count(Role::kParameter);
  for (ValueId id : parameters) {
    const int64_t offset = net.graph.value(id).offset;
    if (offset > 0) end = std::min(end, offset);
  }
  const auto all = static_cast<float>(graph->region_count(Role::kParameter));
  EXPECT_THAT(graph->nodes().back().constants,
              ElementsAre(static_cast<float>(end) / 16, 0.5f, all / 16, 1));
}

TEST(TrainingGraph, EndsWithTheGradientsWhereSeveralBatchesMakeAnUpdate) {
  const Net net = SmallNet();
  TrainingGraphOptions options = Clipped();
  options.accumulate = 4;
  EXPECT_EQ(SlotCount(options), 2);
  const std::string batch = TextOf(TrainingGraph(net.graph, net.logits, options));
  EXPECT_THAT(batch, HasSubstr("sum: gradient_sum = SumGradients(gradients, gradient_sum, step) "
                               "count=4"));
  EXPECT_THAT(batch, Not(HasSubstr("learning_rate")));
  EXPECT_THAT(batch, Not(HasSubstr("NormScale")));
  const std::string update = TextOf(UpdateGraph(net.graph, options));
  EXPECT_THAT(update, HasSubstr("clip = NormScale(gradient_sum)"));
  EXPECT_THAT(update, HasSubstr("update: parameters, slot0 = Adagrad(parameters, gradient_sum, "
                                "slot0, learning_rate, clip)"));
}

TEST(AverageGraph, AveragesParametersAndStatesSideBySide) {
  const Net net = SmallNet();
  const auto graph = AverageGraph(net.graph);
  EXPECT_THAT(TextOf(graph), HasSubstr("average_states = MovingAverage(states, average_states, "
                                       "weight)"));
  const ValueId parameters = graph->Find("average_parameters"),
                states = graph->Find("average_states");
  ASSERT_NE(parameters, kNoValue);
  ASSERT_NE(states, kNoValue);
  EXPECT_EQ(graph->value(parameters).offset, 0);
  EXPECT_EQ(graph->value(states).offset, net.graph.region_count(Role::kParameter));
  EXPECT_EQ(graph->region_count(Role::kAverage),
            net.graph.region_count(Role::kParameter) + net.graph.region_count(Role::kState));
}

}  // namespace
}  // namespace fovea
