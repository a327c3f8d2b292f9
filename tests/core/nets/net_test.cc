#include "core/nets/net.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

NetOptions Options(const std::string& name, int side, int channels, int labels) {
  NetOptions options;
  options.name = name;
  options.height = options.width = side;
  options.channels = channels;
  options.labels = labels;
  return options;
}

int64_t Parameters(const Graph& graph) {
  int64_t count = 0;
  for (ValueId id : graph.ValuesOf(Role::kParameter)) count += graph.type(id).dims.count();
  return count;
}

struct Published {
  std::string net;
  int side, channels, labels;
  int64_t parameters;
  int64_t multiply_adds;  // of convolutions and dense layers, one example; 0: not compared
};

class PublishedNet : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedNet, HasThePublishedNumberOfParametersAndMultiplyAdds) {
  const Published& expected = GetParam();
  const auto net =
      BuildNet(Options(expected.net, expected.side, expected.channels, expected.labels), 1);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(Parameters(net->graph), expected.parameters);
  if (expected.multiply_adds != 0) {
    EXPECT_EQ(GraphFlops(net->graph), 2.0 * expected.multiply_adds);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , PublishedNet,
    ::testing::Values(Published{"resnet18", 224, 3, 1000, 11'689'512, 1'814'073'344},
                      Published{"resnet50", 224, 3, 1000, 25'557'032, 4'089'184'256},
                      Published{"mobilenet_v2", 224, 3, 1000, 3'504'872, 300'774'272},
                      Published{"resnet34", 224, 3, 1000, 21'797'672, 3'663'761'408},
                      Published{"vgg11", 224, 3, 1000, 132'863'336, 7'609'090'048},
                      Published{"vgg11_bn", 224, 3, 1000, 132'868'840, 7'609'090'048},
                      Published{"mobilenet_v3_small", 224, 3, 1000, 2'542'856, 0},
                      Published{"resnet56", 32, 3, 10, 855'770, 0},
                      Published{"resnet20", 32, 3, 10, 272'474, 0},
                      Published{"resnet8", 32, 3, 10, 78'042, 0},
                      Published{"lenet", 28, 1, 10, 61'706, 416'520},
                      Published{"mlp", 28, 1, 10, 203'530, 203'264}),
    [](const auto& info) { return info.param.net; });

TEST(BuildNet, TakesSmallGreyImagesWithTheSmallNets) {
  for (const char* name : {"mlp", "lenet", "resnet8", "resnet20"}) {
    for (int side : {20, 28}) {
      const auto net = BuildNet(Options(name, side, 1, 10), 64);
      ASSERT_TRUE(net.ok()) << name << ": " << net.status();
      EXPECT_TRUE(Verify(net->graph).ok()) << name;
      const Graph& graph = net->graph;
      EXPECT_EQ(graph.value(net->pixels).name, "pixels");
      EXPECT_EQ(graph.type(net->pixels), (Type{DType::kU8, {64, side, side, 1}}));
      EXPECT_EQ(graph.value(net->logits).name, "logits");
      EXPECT_EQ(graph.type(net->logits), (Type{DType::kF32, {64, 10}}));
      EXPECT_TRUE(graph.IsOutput(net->logits));
    }
  }
}

TEST(BuildNet, TakesImagesThatAreNotSquare) {
  for (absl::string_view name : NetNames()) {
    NetOptions options = Options(std::string(name), 45, 3, 7);
    options.width = 37;
    const auto net = BuildNet(options, 2);
    ASSERT_TRUE(net.ok()) << name << ": " << net.status();
    EXPECT_TRUE(Verify(net->graph).ok()) << name;
    EXPECT_EQ(net->graph.type(net->logits), (Type{DType::kF32, {2, 7}}));
  }
}

TEST(BuildNet, TakesTheSmallestImagesItPromises) {
  for (const auto& [name, side] : {std::pair("mlp", 1),
                                   {"lenet", 12},
                                   {"resnet8", 8},
                                   {"resnet20", 8},
                                   {"resnet56", 8},
                                   {"resnet18", 32},
                                   {"resnet34", 32},
                                   {"resnet50", 32},
                                   {"vgg11", 32},
                                   {"vgg11_bn", 32},
                                   {"mobilenet_v2", 32},
                                   {"mobilenet_v3_small", 32}}) {
    EXPECT_TRUE(BuildNet(Options(name, side, 1, 2), 1).ok()) << name;
  }
}

TEST(BuildNet, SaysHowLargeImagesMustBe) {
  const auto net = BuildNet(Options("lenet", 11, 1, 10), 1);
  EXPECT_EQ(net.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(net.status().message()),
              HasSubstr("images of 11 x 11 pixels are too small, expected at least 12 x 12"));
}

TEST(BuildNet, ListsTheKnownNamesForAnUnknownOne) {
  const auto net = BuildNet(Options("resnet9", 32, 3, 10), 1);
  EXPECT_EQ(net.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(net.status().message()),
              HasSubstr("unknown net \"resnet9\"; known are mlp, lenet, resnet8, resnet20, "
                        "resnet56, resnet18, resnet34, resnet50, vgg11, vgg11_bn, mobilenet_v2, "
                        "mobilenet_v3_small"));
}

TEST(BuildNet, RefusesSizesThatAreNotPositive) {
  EXPECT_FALSE(BuildNet(Options("mlp", 0, 1, 10), 1).ok());
  EXPECT_FALSE(BuildNet(Options("mlp", 8, 0, 10), 1).ok());
  EXPECT_FALSE(BuildNet(Options("mlp", 8, 1, 0), 1).ok());
  EXPECT_FALSE(BuildNet(Options("mlp", 8, 1, 10), 0).ok());
}

TEST(BuildNet, RefusesANormalisationOfAnotherNumberOfChannels) {
  NetOptions options = Options("lenet", 28, 1, 10);
  options.mean = {0.5f, 0.5f, 0.5f};
  const auto net = BuildNet(options, 1);
  EXPECT_THAT(std::string(net.status().message()),
              HasSubstr("3 means and 1 standard deviations for 1 channels"));
  options.mean = {0.5f};
  options.std = {0.0f};
  EXPECT_FALSE(BuildNet(options, 1).ok());
}

TEST(BuildNet, TakesTheHiddenLayersOfAnMlp) {
  NetOptions options = Options("mlp", 4, 1, 3);
  options.hidden = {8, 5};
  const auto net = BuildNet(options, 1);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(Parameters(net->graph), 16 * 8 + 8 + 8 * 5 + 5 + 5 * 3 + 3);
  options.name = "resnet8";
  options.height = options.width = 8;
  EXPECT_FALSE(BuildNet(options, 1).ok());
}

TEST(BuildNet, PutsDropoutBeforeTheLastLayer) {
  for (absl::string_view name : NetNames()) {
    NetOptions options = Options(std::string(name), 32, 3, 10);
    options.dropout = 0.25f;
    const auto net = BuildNet(options, 1);
    ASSERT_TRUE(net.ok()) << name << ": " << net.status();
    const auto& nodes = net->graph.nodes();
    ASSERT_TRUE(std::holds_alternative<Dropout>(nodes[nodes.size() - 2].attrs)) << name;
    EXPECT_EQ(std::get<Dropout>(nodes[nodes.size() - 2].attrs).rate, 0.25f);
  }
  NetOptions options = Options("lenet", 28, 1, 10);
  options.dropout = 1;
  EXPECT_FALSE(BuildNet(options, 1).ok());
}

TEST(BuildNet, NamesParametersAsTorchvisionDoes) {
  const auto resnet = BuildNet(Options("resnet18", 32, 3, 10), 1);
  for (const char* name :
       {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_var", "layer4.1.bn2.bias", "fc.weight", "fc.bias"}) {
    EXPECT_NE(resnet->graph.Find(name), kNoValue) << name;
  }
  const auto mobilenet = BuildNet(Options("mobilenet_v2", 32, 3, 10), 1);
  for (const char* name :
       {"features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight",
        "features.1.conv.2.running_mean", "features.17.conv.3.bias", "features.18.1.weight",
        "classifier.1.weight"}) {
    EXPECT_NE(mobilenet->graph.Find(name), kNoValue) << name;
  }
}

TEST(BuildNet, NamesParametersOfMobilenetV3AndVggAsTorchvisionDoes) {
  const auto mobilenet = BuildNet(Options("mobilenet_v3_small", 32, 3, 10), 1);
  ASSERT_TRUE(mobilenet.ok()) << mobilenet.status();
  for (const auto& [name, dims] :
       std::vector<std::pair<const char*, Dims>>{{"features.0.0.weight", {16, 3, 3, 3}},
                                                 {"features.1.block.0.0.weight", {16, 1, 3, 3}},
                                                 {"features.1.block.1.fc1.weight", {8, 16, 1, 1}},
                                                 {"features.1.block.2.0.weight", {16, 16, 1, 1}},
                                                 {"features.4.block.1.0.weight", {96, 1, 5, 5}},
                                                 {"features.5.block.2.fc1.bias", {64}},
                                                 {"features.7.block.2.fc2.weight", {120, 32, 1, 1}},
                                                 {"features.11.block.3.1.running_var", {96}},
                                                 {"features.12.1.weight", {576}},
                                                 {"classifier.0.weight", {1024, 576}},
                                                 {"classifier.3.weight", {10, 1024}}}) {
    const ValueId id = mobilenet->graph.Find(name);
    ASSERT_NE(id, kNoValue) << name;
    EXPECT_EQ(mobilenet->graph.type(id).dims, dims) << name;
  }
  const auto vgg = BuildNet(Options("vgg11", 64, 3, 10), 1);
  ASSERT_TRUE(vgg.ok()) << vgg.status();
  EXPECT_EQ(vgg->graph.type(vgg->graph.Find("features.18.weight")).dims, (Dims{512, 512, 3, 3}));
  EXPECT_EQ(vgg->graph.type(vgg->graph.Find("classifier.0.weight")).dims, (Dims{4096, 2048}));
}

TEST(BuildNet, BeginsResidualBranchesAsAskedFor) {
  for (const char* name : {"resnet8", "resnet50", "mobilenet_v2", "mobilenet_v3_small"}) {
    NetOptions options = Options(name, 32, 3, 10);
    options.zero_last_gamma = true;
    options.stochastic_depth = 0.2f;
    options.weights = WeightInitializer{Initializer::Kind::kNormal, 0.5f};
    const auto net = BuildNet(options, 1);
    ASSERT_TRUE(net.ok()) << net.status();
    std::vector<float> rates;
    for (const Node& node : net->graph.nodes()) {
      if (const auto* dropout = std::get_if<Dropout>(&node.attrs)) rates.push_back(dropout->rate);
    }
    ASSERT_FALSE(rates.empty());
    int zeros = 0;
    for (const Initializer& initializer : net->initializers) {
      const Dims& dims = net->graph.type(net->graph.Find(initializer.name)).dims;
      if (dims.rank() >= 2) {
        EXPECT_EQ(initializer.kind, Initializer::Kind::kNormal) << initializer.name;
      }
      zeros += initializer.name.ends_with(".weight") && dims.rank() == 1 && initializer.value == 0;
    }
    EXPECT_EQ(zeros, static_cast<int>(rates.size())) << name;
    for (size_t i = 0; i < rates.size(); ++i) {
      EXPECT_FLOAT_EQ(rates[i], 0.2f * static_cast<float>(i + 1) / rates.size()) << name;
    }
  }
}

TEST(BuildNet, RefusesStochasticDepthWithoutBranches) {
  NetOptions options = Options("lenet", 28, 1, 10);
  options.stochastic_depth = 0.1f;
  EXPECT_THAT(std::string(BuildNet(options, 1).status().message()),
              HasSubstr("net \"lenet\" has no residual branches, expected some for "
                        "stochastic_depth"));
  options.zero_last_gamma = true;
  EXPECT_FALSE(BuildNet(options, 1).ok());
}

TEST(BuildNet, PutsTheStrideOfABottleneckInItsThreeByThree) {
  const auto net = BuildNet(Options("resnet50", 64, 3, 10), 1);
  ASSERT_TRUE(net.ok()) << net.status();
  for (const Node& node : net->graph.nodes()) {
    const auto* conv = std::get_if<Conv>(&node.attrs);
    if (conv == nullptr || !node.name.starts_with("layer2.0.conv")) continue;
    EXPECT_EQ(conv->window.stride[0], node.name == "layer2.0.conv2" ? 2 : 1) << node.name;
  }
}

TEST(BuildNet, HasAnInitializerForEveryParameterAndState) {
  for (absl::string_view name : NetNames()) {
    const auto net = BuildNet(Options(std::string(name), 32, 3, 10), 1);
    ASSERT_TRUE(net.ok()) << net.status();
    EXPECT_EQ(net->initializers.size(), net->graph.ValuesOf(Role::kParameter).size() +
                                            net->graph.ValuesOf(Role::kState).size());
    for (const Initializer& initializer : net->initializers) {
      EXPECT_NE(net->graph.Find(initializer.name), kNoValue) << initializer.name;
    }
  }
}

TEST(WithHead, MakesProbabilitiesTheOnlyOutput) {
  const auto net = BuildNet(Options("lenet", 28, 1, 10), 4);
  for (Head head : {Head::kSoftmax, Head::kSigmoid}) {
    const auto graph = WithHead(*net, head);
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_EQ(graph->outputs().size(), 1u);
    EXPECT_EQ(graph->value(graph->outputs()[0]).name, "probabilities");
    EXPECT_EQ(graph->type(graph->outputs()[0]), (Type{DType::kF32, {4, 10}}));
    EXPECT_TRUE(Verify(*graph).ok());
  }
}

}  // namespace
}  // namespace fovea
