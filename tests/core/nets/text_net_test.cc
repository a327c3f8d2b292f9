#include "core/nets/text_net.h"

#include <string>
#include <utility>
#include <vector>

#include "core/compile/training_graph.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

NetOptions Options(const std::string& text, int side = 16) {
  NetOptions options;
  options.name = "text";
  options.text = text;
  options.height = options.width = side;
  options.channels = 3;
  options.labels = 4;
  return options;
}

int64_t Parameters(const Graph& graph) {
  int64_t count = 0;
  for (ValueId id : graph.ValuesOf(Role::kParameter)) count += graph.type(id).dims.count();
  return count;
}

TEST(TextNet, ReadsOneLayerALine) {
  const auto net = BuildNet(Options("# a small net\n"
                                    "conv 8 kernel=3 stride=2 pad=1 bias   # [8,8,8]\n"
                                    "\n"
                                    "\trelu\r\n"
                                    "max_pool kernel=2 stride=2\n"
                                    "dense 10\n"
                                    "relu\n"
                                    "dropout 0.25"),
                            2);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(
      ToText(net->graph),
      "input pixels u8[2,16,16,3]\n"
      "parameter conv1.weight f32[8,3,3,3]\n"
      "parameter conv1.bias f32[8] offset=1552\n"
      "parameter dense1.weight f32[10,128] offset=224\n"
      "parameter dense1.bias f32[10] offset=1568\n"
      "parameter classifier.weight f32[4,10] offset=1504\n"
      "parameter classifier.bias f32[4] offset=1584\n"
      "normalize = Normalize(pixels) constants=[0.5,0.5,0.5,0.25,0.25,0.25] : f32[2,3,16,16]\n"
      "conv1 = Conv(normalize, conv1.weight, conv1.bias) kernel=[3,3] stride=[2,2] pad=[1,1,1,1] "
      "has_bias=true : f32[2,8,8,8]\n"
      "relu1 = Activate(conv1) activation=relu : f32[2,8,8,8]\n"
      "max_pool1 = Pool(relu1) kernel=[2,2] stride=[2,2] : f32[2,8,4,4]\n"
      "dense1_flatten = Reshape(max_pool1) dims=[0,-1] : f32[2,128]\n"
      "dense1 = Dense(dense1_flatten, dense1.weight, dense1.bias) has_bias=true : f32[2,10]\n"
      "relu2 = Activate(dense1) activation=relu : f32[2,10]\n"
      "dropout1 = Dropout(relu2) rate=0.25 : f32[2,10]\n"
      "classifier: logits = Dense(dropout1, classifier.weight, classifier.bias) has_bias=true : "
      "f32[2,4]\n"
      "output logits\n");
}

TEST(TextNet, BuildsTheLenetOfThePaper) {
  NetOptions options = Options(
      "conv 6 kernel=5 pad=2 bias\nrelu\nmax_pool\n"
      "conv 16 kernel=5 bias\nrelu\nmax_pool\n"
      "dense 120\nrelu\ndense 84\nrelu\n",
      28);
  options.channels = 1;
  options.labels = 10;
  const auto net = BuildNet(options, 1);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(Parameters(net->graph), 61'706);
}

TEST(TextNet, ProjectsTheShortcutWhereTheBranchChangesTheShape) {
  const auto net = BuildNet(Options("conv 8 pad=1\n"
                                    "residual {\n"
                                    "  conv 8 pad=1\n"
                                    "  batch_norm\n"
                                    "}\n"
                                    "relu\n"
                                    "residual {\n"
                                    "  conv 12 kernel=3 stride=2 pad=1\n"
                                    "  batch_norm\n"
                                    "}\n"),
                            1);
  ASSERT_TRUE(net.ok()) << net.status();
  const Graph& graph = net->graph;
  EXPECT_EQ(graph.Find("residual1_shortcut.weight"), kNoValue);
  EXPECT_EQ(graph.type(graph.Find("residual2_shortcut.weight")).dims, (Dims{12, 8, 1, 1}));
  EXPECT_EQ(graph.type(graph.Find("residual2")).dims, (Dims{1, 12, 8, 8}));
}

TEST(TextNet, JoinsTheChannelsOfBranches) {
  const auto net = BuildNet(Options("concat {\n"
                                    "  branch {\n"
                                    "    conv 8 kernel=1\n"
                                    "  }\n"
                                    "  branch {\n"
                                    "    conv 5 pad=1\n"
                                    "    concat {\n"
                                    "      branch {\n"
                                    "      }\n"
                                    "      branch {\n"
                                    "        relu\n"
                                    "      }\n"
                                    "    }\n"
                                    "  }\n"
                                    "  branch {\n"
                                    "  }\n"
                                    "}\n"
                                    "global_average_pool\n"),
                            2);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(net->graph.type(net->graph.Find("concat1")).dims, (Dims{2, 8 + 2 * 5 + 3, 16, 16}));
}

// Every layer that the grammar lists can stand on a line, with its defaults.
TEST(TextNet, TakesEveryLayerOfItsGrammar) {
  const std::string grammar = NetTextGrammar();
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"conv", "conv 8"},
      {"depthwise", "depthwise"},
      {"separable", "separable 8 pad=1"},
      {"conv_transpose", "conv_transpose 8"},
      {"dense", "dense 16"},
      {"group_norm", "group_norm"},
      {"dropout", "dropout 0.5"},
  };
  int layers = 0;
  for (size_t begin = 0; begin < grammar.size(); begin = grammar.find('\n', begin) + 1) {
    const std::string name = grammar.substr(begin, grammar.find_first_of(" \n", begin) - begin);
    if (name == "residual" || name == "concat") continue;
    std::string line = name;
    for (const auto& [layer, text] : lines) {
      if (layer == name) line = text;
    }
    const auto net = BuildNet(Options("conv 16\n" + line + "\n"), 1);
    ASSERT_TRUE(net.ok()) << line << ": " << net.status();
    EXPECT_TRUE(TrainingGraph(net->graph, net->logits, {}).ok()) << line;
    ++layers;
  }
  EXPECT_EQ(layers, 32);
}

TEST(TextNet, DropsResidualBranchesMoreOftenTheDeeperTheyAre) {
  NetOptions options = Options(
      "residual {\nconv 3 pad=1\nbatch_norm\n}\n"
      "residual {\nconv 3 pad=1\nbatch_norm\nrelu\n}\n");
  options.stochastic_depth = 0.5f;
  options.zero_last_gamma = true;
  const auto net = BuildNet(options, 1);
  ASSERT_TRUE(net.ok()) << net.status();
  std::vector<float> rates;
  for (const Node& node : net->graph.nodes()) {
    const auto* dropout = std::get_if<Dropout>(&node.attrs);
    if (dropout == nullptr) continue;
    EXPECT_TRUE(dropout->per_example);
    rates.push_back(dropout->rate);
  }
  EXPECT_THAT(rates, ::testing::ElementsAre(0.25f, 0.5f));
  // Only the first branch ends in its batch norm.
  std::vector<float> scales;
  for (const Initializer& initializer : net->initializers) {
    if (initializer.name.starts_with("batch_norm") && initializer.name.ends_with(".weight")) {
      scales.push_back(initializer.value);
    }
  }
  EXPECT_THAT(scales, ::testing::ElementsAre(0, 1));
}

struct Wrong {
  const char* text;
  const char* message;
};

TEST(TextNet, SaysWhichLineIsWrongAndWhatWasExpected) {
  const std::vector<Wrong> cases = {
      {"", "line 1: no layer, expected at least one"},
      {"relu\n\nconf 8", "line 3: unknown layer \"conf\"; known are conv, depthwise, separable,"},
      {"conv", "line 1: conv without CHANNELS, expected conv CHANNELS kernel=3 stride=1 pad=0"},
      {"conv 0", "line 1: CHANNELS is \"0\", expected a whole number from 1 to 65536"},
      {"conv 8.5", "line 1: CHANNELS is \"8.5\", expected a whole number"},
      {"conv 8 kernel=x", "line 1: kernel is \"x\", expected a whole number from 1 to 255"},
      {"conv 8 kernel=3 kernel=5", "line 1: \"kernel\" stands twice"},
      {"conv 8 size=3", "line 1: \"size=3\" is not an option of conv, which takes CHANNELS kernel"},
      {"conv 8 9", "line 1: \"9\" is not an option of conv"},
      {"relu 3", "line 1: \"3\" is not an option of relu, which takes nothing"},
      {"relu\nconv 8 groups=2", "line 2: conv \"conv1\": weight has 1 input channels in each of 2"},
      {"conv 8 kernel=17", "line 1: conv \"conv1\": a window of height 17 does not fit an input"},
      {"dense 8\nconv 8", "line 2: conv needs images, found rows of 8 values"},
      {"dropout 1", "line 1: RATE is \"1\", expected a number from 0 to 0.999"},
      {"}", "line 1: \"}\" closes nothing, expected a layer"},
      {"residual", "line 1: found \"residual\", expected \"residual {\""},
      {"residual {\nrelu", "line 1: the block is not closed, expected a line \"}\""},
      {"residual {\n}", "line 1: the branch is empty, expected at least one layer"},
      {"residual {\nflatten\n}", "line 1: the branch turns [1,3,16,16] into [1,768], which no"},
      {"residual {\nconv_transpose 3\n}", "line 1: the branch turns [1,3,16,16] into [1,3,32,32]"},
      {"concat {\n}", "line 1: found 0 branches, expected 2 or more"},
      {"concat {\nrelu\n}", "line 2: found \"relu\", expected \"branch {\" or \"}\""},
      {"concat {\nbranch {\nmax_pool\n}\nbranch {\n}\n}",
       "line 1: concat \"concat1\": input 1 is [1,3,16,16], expected [1,3,8,8]"},
      {"conv_transpose 600 kernel=250 stride=250",
       "line 1: the output is [1,600,4000,4000], expected at most 2147483648 values"},
      {"conv 60000 kernel=1\ndense 60000",
       "line 2: dense has 60000 x 15360000 weights, expected at most 2147483648"},
      {"conv 60000 kernel=1\nconv 60000",
       "line 2: \"conv2.weight\" is [60000,60000,3,3], expected at most 2147483648 values"},
  };
  for (const Wrong& c : cases) {
    const auto net = BuildNet(Options(c.text), 1);
    EXPECT_EQ(net.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(std::string(net.status().message()), HasSubstr(c.message)) << c.text;
  }
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "residual {\n";
  EXPECT_THAT(std::string(BuildNet(Options(deep), 1).status().message()),
              HasSubstr("line 9: blocks deeper than 8"));
  EXPECT_THAT(std::string(BuildNet(Options(std::string(70000, '\n')), 1).status().message()),
              HasSubstr("70000 bytes, expected at most 65536"));
}

}  // namespace
}  // namespace fovea
