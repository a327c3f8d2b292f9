#include "core/train/target_scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/nets/net.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

InMemoryDataset Targets() {
  std::vector<Example> examples;
  for (const float value : {100.f, 104.f, 108.f}) {
    examples.push_back({{1, 1, 1, {0}}, {value, 7}, std::to_string(examples.size())});
  }
  return *InMemoryDataset::Create(std::move(examples));
}

TEST(TargetScale, StandardisesAndTurnsBack) {
  const InMemoryDataset data = Targets();
  const auto scale = FindTargetScale(data);
  ASSERT_TRUE(scale.ok()) << scale.status();
  EXPECT_THAT(scale->mean, ElementsAre(104, 7));
  EXPECT_NEAR(scale->deviation[0], 3.2659863237109041, 1e-12);  // numpy.std
  EXPECT_EQ(scale->deviation[1], 1);                            // never changes
  const ScaledDataset scaled(data, *scale);
  std::vector<float> values;
  for (int64_t i = 0; i < 3; ++i) {
    float target[2];
    uint8_t pixel = 0;
    ASSERT_TRUE(scaled.Read(i, &pixel, target).ok());
    EXPECT_EQ(target[1], 0);
    values.insert(values.end(), target, target + 2);
    float alone[2];
    ASSERT_TRUE(scaled.ReadTarget(i, alone).ok());
    EXPECT_EQ(alone[0], target[0]);
  }
  EXPECT_NEAR(values[0], -1.2247448713915890, 1e-6);
  ToUnits(*scale, values);
  EXPECT_THAT(values, ::testing::Pointwise(::testing::FloatNear(1e-4f),
                                           {100.f, 7.f, 104.f, 7.f, 108.f, 7.f}));
}

TEST(TargetScale, GoesIntoTheLastLayer) {
  NetOptions options;
  options.name = "mlp";
  options.hidden = {2};
  options.width = options.height = 2;
  options.channels = 1;
  options.labels = 2;
  const auto net = BuildNet(options, 1);
  ASSERT_TRUE(net.ok()) << net.status();
  auto graph = WithHead(*net, Head::kIdentity);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->outputs().size(), 1u);
  const Node& last = graph->nodes()[graph->Producers()[graph->outputs()[0]]];
  const std::string weight = graph->value(last.inputs[1]).name;
  const std::string bias = graph->value(last.inputs[2]).name;
  std::map<std::string, Tensor> values;
  values.emplace(weight, Tensor({DType::kF32, {2, 2}}));
  values.emplace(bias, Tensor({DType::kF32, {2}}));
  for (int i = 0; i < 4; ++i) values.at(weight).as<float>()[i] = static_cast<float>(i + 1);
  values.at(bias).as<float>()[0] = 1;
  values.at(bias).as<float>()[1] = 2;
  Quantization quantization;
  quantization.values[weight] = {DType::kI8, {0.5f, 0.25f}};
  ASSERT_TRUE(FoldTargetScale({{10, 20}, {2, 3}}, *graph, values, quantization).ok());
  EXPECT_THAT(quantization.values.at(weight).scales, ElementsAre(1, 0.75f));
  const float* w = values.at(weight).as<float>();
  EXPECT_THAT(std::vector<float>(w, w + 4), ElementsAre(2, 4, 9, 12));
  const float* b = values.at(bias).as<float>();
  EXPECT_THAT(std::vector<float>(b, b + 2), ElementsAre(12, 26));

  const auto softmax = WithHead(*net, Head::kSoftmax);
  ASSERT_TRUE(softmax.ok());
  EXPECT_EQ(FoldTargetScale({{10, 20}, {2, 3}}, *softmax, values, quantization).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fovea
