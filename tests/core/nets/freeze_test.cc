#include "core/nets/freeze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Net Resnet8() {
  NetOptions options;
  options.name = "resnet8";
  options.height = options.width = 16;
  options.channels = 1;
  options.labels = 3;
  return *BuildNet(options, 2);
}

absl::Status FreezeAll(std::vector<std::string> prefixes, Net& net) {
  return Freeze(prefixes, net);
}

TEST(IsUnder, TakesWholePartsOfNames) {
  EXPECT_TRUE(IsUnder("layer1", "layer1"));
  EXPECT_TRUE(IsUnder("layer1.0.conv1.weight", "layer1"));
  EXPECT_TRUE(IsUnder("layer1.0.conv1.weight", "layer1.0"));
  EXPECT_FALSE(IsUnder("layer10.0.conv1", "layer1"));
  EXPECT_FALSE(IsUnder("layer1", "layer1.0"));
  EXPECT_FALSE(IsUnder("layer1", ""));
}

TEST(RateFactors, TakeTheLongestPrefixThatFits) {
  const Net net = Resnet8();
  const auto factors = RateFactors({{"layer1", 0.5}, {"layer1.0.conv2", 2}, {"fc", 10}}, net);
  ASSERT_TRUE(factors.ok()) << factors.status();
  EXPECT_EQ(factors->at("layer1.0.conv1.weight"), 0.5f);
  EXPECT_EQ(factors->at("layer1.0.conv2.weight"), 2);
  EXPECT_EQ(factors->at("fc.bias"), 10);
  EXPECT_EQ(factors->count("conv1.weight"), 0);
  EXPECT_THAT(std::string(RateFactors({{"layer9", 1}}, net).status().message()),
              HasSubstr("found no layer that learns below \"layer9\""));
}

TEST(Freeze, TurnsParametersIntoStatesThatKeepTheirNames) {
  Net net = Resnet8();
  const size_t values = net.graph.values().size();
  const int64_t parameters = net.graph.region_count(Role::kParameter);
  ASSERT_TRUE(FreezeAll({"conv1", "layer1"}, net).ok());
  EXPECT_EQ(net.graph.values().size(), values);
  EXPECT_LT(net.graph.region_count(Role::kParameter), parameters);
  for (const Value& value : net.graph.values()) {
    const bool frozen = IsUnder(value.name, "conv1") || IsUnder(value.name, "layer1");
    if (frozen && value.role != Role::kTemporary) {
      EXPECT_EQ(value.role, Role::kState) << value.name;
    }
    if (value.name == "bn1.weight") {
      EXPECT_EQ(value.role, Role::kParameter);
    }
  }
  const absl::Status verified = Verify(net.graph);
  EXPECT_TRUE(verified.ok()) << verified;
}

TEST(Freeze, AcceptsPrefixesThatOverlapAndNone) {
  Net net = Resnet8();
  EXPECT_TRUE(FreezeAll({}, net).ok());
  EXPECT_TRUE(FreezeAll({"layer1", "layer1.0"}, net).ok());
}

TEST(Freeze, SaysWhichPrefixFitsNothing) {
  Net net = Resnet8();
  const absl::Status status = FreezeAll({"conv1", "layer7"}, net);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("found no layer below \"layer7\", expected one below conv1, bn1, layer1"));
}

TEST(Freeze, LeavesALayerThatLearns) {
  Net net = Resnet8();
  const absl::Status status = FreezeAll({"conv1", "bn1", "layer1", "layer2", "layer3", "fc"}, net);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected one that learns"));
}

TEST(HeadParameters, AreThoseOfTheLastDenseLayer) {
  EXPECT_THAT(HeadParameters(Resnet8()), ElementsAre("fc.weight", "fc.bias"));
}

}  // namespace
}  // namespace fovea
