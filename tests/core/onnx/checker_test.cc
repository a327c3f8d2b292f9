// What ONNX itself says of our files: its checker, and its shape inference in strict mode, which
// meets the same output shapes.

#include "onnx/checker.h"
#include "core/onnx/export.h"
#include "gtest/gtest.h"
#include "onnx/onnx_pb.h"
#include "onnx/shape_inference/implementation.h"
#include "tests/core/onnx/graphs.h"

namespace fovea {
namespace {

class ExportedNet : public ::testing::TestWithParam<std::string> {};

void ExpectAccepted(const std::string& name, const OnnxExportOptions& options) {
  const Net net = testing::BuildOrDie(name, 32, 3, 7, 0.5f);
  const auto graph = WithHead(net, Head::kSoftmax);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto bytes = ExportOnnx(*graph, testing::SomeValues(*graph), options);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*bytes));
  try {
    onnx::checker::check_model(model);
    model.mutable_graph()->mutable_output(0)->clear_type();
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions{true, 1, true});
  } catch (const std::exception& error) {
    FAIL() << error.what();
  }
  const auto& shape = model.graph().output(0).type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 2);
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), 7);
}

TEST_P(ExportedNet, PassesTheCheckerAndTheShapeInferenceOfOnnx) { ExpectAccepted(GetParam(), {}); }

TEST_P(ExportedNet, PassesThemWithWeightsOf16Bits) {
  OnnxExportOptions options;
  options.store_as_f16 = [](const Value& value) { return value.type.dims.rank() >= 2; };
  ExpectAccepted(GetParam(), options);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (absl::string_view name : NetNames()) names.emplace_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(, ExportedNet, ::testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fovea
