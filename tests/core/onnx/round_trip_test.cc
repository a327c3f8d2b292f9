#include <cstring>

#include "core/onnx/export.h"
#include "core/onnx/import.h"
#include "core/tensor/half.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "onnx/onnx_pb.h"
#include "tests/core/onnx/graphs.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// Exports and imports; the text and every value must be the same.
void ExpectRoundTrip(const Graph& graph) {
  const auto values = testing::SomeValues(graph);
  const auto bytes = ExportOnnx(graph, values, {});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto imported = ImportOnnx(*bytes);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(ToText(imported->graph), ToText(graph));
  ASSERT_EQ(imported->values.size(), values.size());
  for (const auto& [name, tensor] : values) {
    const auto found = imported->values.find(name);
    ASSERT_NE(found, imported->values.end()) << name;
    ASSERT_EQ(found->second.type(), tensor.type()) << name;
    EXPECT_EQ(std::memcmp(found->second.data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

TEST(OnnxRoundTrip, GivesTheSameTextForEveryNet) {
  for (absl::string_view name : NetNames()) {
    const Net net = testing::BuildOrDie(std::string(name), 32, 3, 4);
    for (Head head : {Head::kSoftmax, Head::kSigmoid}) {
      SCOPED_TRACE(std::string(name));
      const auto graph = WithHead(net, head);
      ASSERT_TRUE(graph.ok()) << graph.status();
      ExpectRoundTrip(*graph);
    }
  }
}

TEST(OnnxRoundTrip, KeepsTwoWayLogits) {
  NetOptions options;
  options.name = "mlp";
  options.height = options.width = 4;
  options.channels = 1;
  options.labels = 3;
  options.two_way = true;
  const auto net = BuildNet(options, 1);
  ASSERT_TRUE(net.ok()) << net.status();
  const auto graph = WithHead(*net, Head::kSigmoid);
  ASSERT_TRUE(graph.ok()) << graph.status();
  ExpectRoundTrip(*graph);
  const auto bytes = ExportOnnx(*graph, testing::SomeValues(*graph), {});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto metadata = ImportOnnx(*bytes)->metadata;
  EXPECT_EQ(metadata.at("fovea.logits"), "logits");
  EXPECT_EQ(metadata.at("fovea.classifier"), graph->nodes()[graph->nodes().size() - 3].name);
}

TEST(OnnxRoundTrip, GivesTheSameTextForWeightsOf16Bits) {
  for (absl::string_view name : NetNames()) {
    SCOPED_TRACE(std::string(name));
    const auto graph = WithHead(testing::BuildOrDie(std::string(name), 32, 3, 4), Head::kSoftmax);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto values = testing::SomeValues(*graph);
    OnnxExportOptions options;
    options.store_as_f16 = [](const Value& value) { return value.type.dims.rank() >= 2; };
    const auto bytes = ExportOnnx(*graph, values, options);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto imported = ImportOnnx(*bytes);
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(ToText(imported->graph), ToText(*graph));
    for (const auto& [value_name, tensor] : values) {
      const Tensor& found = imported->values.at(value_name);
      const bool rounded = tensor.type().dims.rank() >= 2;
      for (int64_t i = 0; i < tensor.count(); ++i) {
        const float expected = tensor.as<float>()[i];
        ASSERT_EQ(found.as<float>()[i], rounded ? FromF16Bits(F16Bits(expected)) : expected);
      }
    }
  }
}

TEST(OnnxRoundTrip, LimitsWeightsOf16BitsToTheLargestOne) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 2}});
  graph.MarkOutput(*graph.Add1("dense", Dense{}, {x, graph.AddParameter("w", {1, 2})}));
  graph.AssignRegions();
  std::map<std::string, Tensor> values;
  Tensor& weights = values.emplace("w", Tensor({DType::kF32, {1, 2}})).first->second;
  weights.as<float>()[0] = 1e6f;
  weights.as<float>()[1] = -1e6f;
  OnnxExportOptions options;
  options.store_as_f16 = [](const Value&) { return true; };
  const auto imported = ImportOnnx(*ExportOnnx(graph, values, options));
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->values.at("w").as<float>()[0], 65504.0f);
  EXPECT_EQ(imported->values.at("w").as<float>()[1], -65504.0f);
}

TEST(OnnxRoundTrip, KeepsASecondOutput) {
  const Net net = testing::BuildOrDie("mlp", 4, 1, 3);
  auto graph = WithHead(net, Head::kSoftmax);
  ASSERT_TRUE(graph.ok()) << graph.status();
  graph->MarkOutput(net.logits);
  ExpectRoundTrip(*graph);
}

TEST(OnnxRoundTrip, KeepsDropoutAndItsSalt) {
  Net net = testing::BuildOrDie("mlp", 4, 1, 3, 0.25f);
  for (Node& node : net.graph.mutable_nodes()) {
    if (auto* dropout = std::get_if<Dropout>(&node.attrs)) dropout->salt = 4000000000u;
  }
  ExpectRoundTrip(net.graph);
}

// One graph with every kind of attribute that an inference graph can carry.
Graph Everything() {
  Graph graph;
  const auto add = [&](std::string name, Attrs attrs, std::vector<ValueId> inputs,
                       std::vector<float> constants = {}) {
    const auto y = graph.Add1(std::move(name), attrs, std::move(inputs), std::move(constants));
    EXPECT_TRUE(y.ok()) << y.status();
    return y.value_or(kNoValue);
  };
  const ValueId pixels = graph.AddInput("pixels", {DType::kU8, {1, 13, 11, 2}});
  ValueId x = add("normalize", Normalize{}, {pixels}, {0.25f, 0.1f, 0.3f, 0.7f});
  Conv conv;
  conv.window = {{3, 2}, {2, 1}, {1, 2}, {1, 0, 2, 1}};
  conv.group = 2;
  conv.has_bias = true;
  conv.activation = {Activation::kLeakyRelu, 0.125f};
  const ValueId w1 = graph.AddParameter("conv1.weight", {6, 1, 3, 2});
  const ValueId b1 = graph.AddParameter("conv1.bias", {6});
  x = add("conv1", conv, {x, w1, b1});
  Conv again;
  again.window.kernel = {1, 1};
  again.has_residual = true;
  again.activation = {Activation::kClip, -1, 6};
  const ValueId w2 = graph.AddParameter("conv2.weight", {6, 6, 1, 1});
  x = add("conv2", again, {x, w2, x});
  Pool pool;
  pool.window.kernel = {2, 2};
  pool.window.stride = {2, 2};
  pool.ceil = true;
  const ValueId a = add("max", pool, {x});
  pool.kind = PoolKind::kAverage;
  pool.count_include_pad = true;
  pool.window.pad = {0, 1, 0, 1};
  pool.window.stride = {2, 2};
  pool.ceil = false;
  pool.window.pad = {0, 0, 1, 1};
  const ValueId b = add("average", pool, {x});
  ValueId y = add("add", Add{{Activation::kTanh}}, {a, b});
  y = add("again", Activate{{Activation::kSigmoid}}, {y});
  y = add("relu", Activate{{Activation::kRelu}}, {y});
  Pool global;
  global.global = true;
  y = add("global", global, {y});
  y = add("flatten", Reshape{{0, 6}}, {y});
  Dense dense;
  dense.has_residual = true;
  dense.activation = {Activation::kSigmoid};
  const ValueId w3 = graph.AddParameter("fc.weight", {6, 6});
  y = add("fc", dense, {y, w3, y});
  graph.mutable_value(y).name = "probabilities";
  graph.MarkOutput(y);
  graph.AssignRegions();
  return graph;
}

TEST(OnnxRoundTrip, KeepsFusedResidualsActivationsAndEveryWindow) { ExpectRoundTrip(Everything()); }

constexpr ActivationSpec kActivations[] = {
    {Activation::kRelu},
    {Activation::kLeakyRelu, 0.1f},
    {Activation::kSigmoid},
    {Activation::kTanh},
    {Activation::kClip, 0, 6},
    {Activation::kElu, 0.7f},
    {Activation::kSelu},
    {Activation::kGelu},
    {Activation::kSilu},
    {Activation::kHardSigmoid, 1.0f / 6, 0.5f},
    {Activation::kHardSwish},
    {Activation::kSoftplus},
    {Activation::kHardSigmoid, 0.2f, 0.5f},
};

// Each activation as a node, and carried by a convolution, a dense layer and a sum.
TEST(OnnxRoundTrip, KeepsEveryActivation) {
  for (const ActivationSpec& activation : kActivations) {
    Graph graph;
    ValueId x = graph.AddInput("x", {DType::kF32, {1, 4, 3, 3}});
    Conv conv;
    conv.has_residual = true;
    conv.activation = activation;
    x = *graph.Add1("conv", conv, {x, graph.AddParameter("conv.weight", {4, 4, 1, 1}), x});
    x = *graph.Add1("activate", Activate{activation}, {x});
    x = *graph.Add1("again", Activate{activation}, {x});
    x = *graph.Add1("add", Add{activation}, {x, x});
    x = *graph.Add1("flatten", Reshape{{0, -1}}, {x});
    Dense dense;
    dense.activation = activation;
    x = *graph.Add1("dense", dense, {x, graph.AddParameter("dense.weight", {5, 36})});
    graph.MarkOutput(x);
    graph.AssignRegions();
    SCOPED_TRACE(ToText(graph));
    ExpectRoundTrip(graph);
  }
}

// What stands in nets beside convolutions, dense layers, batch norm and the classic poolings.
TEST(OnnxRoundTrip, KeepsEveryOtherLayer) {
  Graph graph;
  const auto add = [&](std::string name, Attrs attrs, std::vector<ValueId> inputs) {
    const auto y = graph.Add1(std::move(name), attrs, std::move(inputs));
    EXPECT_TRUE(y.ok()) << y.status();
    return y.value_or(kNoValue);
  };
  const auto parameter = [&](const std::string& name, int64_t channels) {
    return graph.AddParameter(name, {channels});
  };
  ValueId x = graph.AddInput("x", {DType::kF32, {1, 4, 6, 5}});
  const ValueId up = graph.AddParameter("up.weight", {4, 3, 3, 3});
  const ConvTranspose transposed = {{{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 2, {1, 0}, true};
  x = add("up", transposed, {x, up, parameter("up.bias", 6)});
  x = add("prelu", PRelu{}, {x, parameter("prelu.weight", 6)});
  x = add("group_norm", GroupNorm{2, 1e-3f},
          {x, parameter("group_norm.weight", 6), parameter("group_norm.bias", 6)});
  x = add("layer_norm", GroupNorm{1},
          {x, parameter("layer_norm.weight", 6), parameter("layer_norm.bias", 6)});
  x = add("instance_norm", GroupNorm{6},
          {x, parameter("instance_norm.weight", 6), parameter("instance_norm.bias", 6)});
  x = add("lrn", LocalResponseNorm{5, 5e-4f, 0.75f, 2}, {x});
  x = add("drop", Dropout{0.25f, 3, true}, {x});
  Pool l2 = {PoolKind::kL2, {{2, 2}, {2, 2}, {1, 1}, {0, 0, 1, 1}}};
  const ValueId pooled = add("l2", l2, {x});
  x = add("concat", Concat{}, {pooled, pooled});
  l2.global = true;
  l2.window = {};
  ValueId gate = add("gate", l2, {x});
  gate = add("gate_sigmoid", Activate{{Activation::kSigmoid}}, {gate});
  x = add("scale", Mul{}, {x, gate});
  x = add("square", Mul{}, {x, x});
  x = add("flatten", Reshape{{0, -1}}, {x});
  x = add("rows", GroupNorm{3}, {x, parameter("rows.weight", 360), parameter("rows.bias", 360)});
  x = add("rows_prelu", PRelu{}, {x, parameter("rows_prelu.weight", 360)});
  graph.MarkOutput(x);
  graph.AssignRegions();
  ExpectRoundTrip(graph);
}

TEST(OnnxRoundTrip, KeepsAnActivationOfItsOwnApart) {
  Graph graph;
  const ValueId a = graph.AddInput("x", {DType::kF32, {1, 4}});
  const ValueId sum = *graph.Add1("sum", Add{}, {a, a});
  const ValueId y = *graph.Add1("relu", Activate{{Activation::kRelu}}, {sum});
  graph.MarkOutput(y);
  graph.AssignRegions();
  ExpectRoundTrip(graph);
}

onnx::ModelProto Exported(const Graph& graph, const OnnxExportOptions& options = {}) {
  const auto bytes = ExportOnnx(graph, testing::SomeValues(graph), options);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(*bytes));
  return model;
}

TEST(ExportOnnx, LeavesTheBatchOpen) {
  const auto graph = WithHead(testing::BuildOrDie("resnet8", 20, 1, 10), Head::kSoftmax);
  const onnx::ModelProto model = Exported(*graph);
  ASSERT_EQ(model.graph().input_size(), 1);
  const auto& input = model.graph().input(0).type().tensor_type();
  EXPECT_EQ(input.elem_type(), onnx::TensorProto::UINT8);
  EXPECT_EQ(input.shape().dim(0).dim_param(), "N");
  EXPECT_EQ(input.shape().dim(3).dim_value(), 1);
  const auto& output = model.graph().output(0).type().tensor_type();
  EXPECT_EQ(model.graph().output(0).name(), "probabilities");
  EXPECT_EQ(output.shape().dim(0).dim_param(), "N");
  EXPECT_EQ(output.shape().dim(1).dim_value(), 10);
}

TEST(ExportOnnx, NamesTheRolesOfLayers) {
  const auto graph = WithHead(testing::BuildOrDie("lenet", 28, 1, 10), Head::kSoftmax);
  const auto bytes =
      ExportOnnx(*graph, testing::SomeValues(*graph), {.name = "digits", .metadata = {{"a", "b"}}});
  const auto imported = ImportOnnx(*bytes);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(imported->metadata,
              UnorderedElementsAre(Pair("fovea.format", "1"), Pair("fovea.logits", "logits"),
                                   Pair("fovea.normalization", "normalize"),
                                   Pair("fovea.classifier", "fc3"),
                                   Pair("fovea.activation", "softmax"), Pair("a", "b")));
}

TEST(ExportOnnx, RefusesWhatHasNoOnnxForm) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 4}});
  graph.MarkOutput(*graph.Add1("cast", Cast{DType::kBF16}, {x}));
  const auto bytes = ExportOnnx(graph, testing::SomeValues(graph), {});
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kUnimplemented) << bytes.status();
}

TEST(ExportOnnx, NamesAValueThatIsMissing) {
  const Net net = testing::BuildOrDie("lenet", 28, 1, 10);
  auto values = testing::SomeValues(net.graph);
  values.erase("fc1.bias");
  EXPECT_THAT(std::string(ExportOnnx(net.graph, values, {}).status().message()),
              HasSubstr("no values for \"fc1.bias\""));
  values.emplace("fc1.bias", Tensor({DType::kF32, {119}}));
  EXPECT_THAT(std::string(ExportOnnx(net.graph, values, {}).status().message()),
              HasSubstr("values of \"fc1.bias\" are f32[119], expected f32[120]"));
}

}  // namespace
}  // namespace fovea
