// What other tools write: models built message by message.

#include "core/onnx/import.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "onnx/onnx_pb.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A model with one float input x of these dims (0: open) and one output y.
class Model {
 public:
  explicit Model(std::vector<int64_t> dims, int opset = 13) {
    proto_.set_ir_version(7);
    proto_.add_opset_import()->set_version(opset);
    auto& input = *proto_.mutable_graph()->add_input();
    input.set_name("x");
    auto& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : dims) {
      auto& dim = *type.mutable_shape()->add_dim();
      if (extent == 0) dim.set_dim_param("batch");
      if (extent != 0) dim.set_dim_value(extent);
    }
    proto_.mutable_graph()->add_output()->set_name("y");
  }

  // A node from the text form of its message.
  Model& Node(const std::string& text) {
    EXPECT_TRUE(
        google::protobuf::TextFormat::ParseFromString(text, proto_.mutable_graph()->add_node()));
    return *this;
  }
  Model& Weight(const std::string& name, std::vector<int64_t> dims, std::vector<float> values) {
    auto& tensor = *proto_.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : dims) tensor.add_dims(extent);
    for (float value : values) tensor.add_float_data(value);
    return *this;
  }
  Model& Ints(const std::string& name, std::vector<int64_t> values) {
    auto& tensor = *proto_.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(values.size());
    for (int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }
  absl::StatusOr<ImportedModel> Import() const { return ImportOnnx(proto_.SerializeAsString()); }
  onnx::ModelProto& proto() { return proto_; }

 private:
  onnx::ModelProto proto_;
};

// The attributes of the only node.
template <typename Op>
Op OnlyNode(const absl::StatusOr<ImportedModel>& model) {
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok() || model->graph.nodes().size() != 1) return {};
  return std::get<Op>(model->graph.nodes()[0].attrs);
}

std::vector<float> ValuesOf(const ImportedModel& model, const std::string& name) {
  const auto found = model.values.find(name);
  if (found == model.values.end()) return {};
  return {found->second.as<float>(), found->second.as<float>() + found->second.count()};
}

TEST(ImportOnnx, MakesADenseNodeOfMatMulAndAdd) {
  const auto model = Model({0, 2})
                         .Weight("w", {2, 3}, {1, 2, 3, 4, 5, 6})
                         .Weight("b", {3}, {7, 8, 9})
                         .Node("op_type: 'MatMul' input: 'x' input: 'w' output: 'xw'")
                         .Node("op_type: 'Add' input: 'xw' input: 'b' output: 'y'")
                         .Import();
  EXPECT_TRUE(OnlyNode<Dense>(model).has_bias);
  EXPECT_THAT(ValuesOf(*model, "w"), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(ValuesOf(*model, "b"), ElementsAre(7, 8, 9));
  EXPECT_EQ(model->graph.value(model->graph.outputs()[0]).name, "y");
}

TEST(ImportOnnx, TransposesTheWeightsOfAGemmWithoutTransB) {
  const auto model = Model({0, 2})
                         .Weight("w", {2, 3}, {1, 2, 3, 4, 5, 6})
                         .Node("op_type: 'Gemm' input: 'x' input: 'w' output: 'y'")
                         .Import();
  EXPECT_FALSE(OnlyNode<Dense>(model).has_bias);
  EXPECT_THAT(ValuesOf(*model, "w"), ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST(ImportOnnx, TakesWeightsFromConstantAndIdentityNodes) {
  const auto model =
      Model({0, 1})
          .Node(
              "op_type: 'Constant' output: 'c' attribute { name: 'value' type: TENSOR t { "
              "data_type: 1 dims: 1 dims: 1 float_data: 5 } }")
          .Node("op_type: 'Identity' input: 'c' output: 'w'")
          .Node("op_type: 'MatMul' input: 'x' input: 'w' output: 'z'")
          .Node("op_type: 'Identity' input: 'z' output: 'y'")
          .Import();
  OnlyNode<Dense>(model);
  EXPECT_THAT(ValuesOf(*model, "w"), ElementsAre(5));
  EXPECT_EQ(model->graph.value(model->graph.outputs()[0]).name, "y");
}

TEST(ImportOnnx, ComputesThePaddingOfSame) {
  const auto pads = [](const char* kind) {
    Model model({1, 1, 5, 8});
    model.Weight("w", {1, 1, 3, 3}, std::vector<float>(9));
    model.Node(std::string("op_type: 'Conv' input: 'x' input: 'w' output: 'y' attribute { name: "
                           "'strides' type: INTS ints: 2 ints: 2 } attribute { name: 'auto_pad' "
                           "type: STRING s: '") +
               kind + "' }");
    return OnlyNode<Conv>(model.Import()).window.pad;
  };
  EXPECT_THAT(pads("SAME_UPPER"), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(pads("SAME_LOWER"), ElementsAre(1, 1, 1, 0));
  EXPECT_THAT(pads("VALID"), ElementsAre(0, 0, 0, 0));
}

TEST(ImportOnnx, ReadsTheBoundsOfClipInOldAndNewOpsets) {
  const auto old = Model({0, 4}, 9)
                       .Node(
                           "op_type: 'Clip' input: 'x' output: 'y' attribute { name: 'max' type: "
                           "FLOAT f: 6 } attribute { name: 'min' type: FLOAT f: 0 }")
                       .Import();
  const ActivationSpec relu6 = {Activation::kClip, 0, 6};
  EXPECT_EQ(OnlyNode<Activate>(old).activation, relu6);
  const auto now = Model({0, 4})
                       .Weight("low", {}, {0})
                       .Weight("high", {}, {6})
                       .Node("op_type: 'Clip' input: 'x' input: 'low' input: 'high' output: 'y'")
                       .Import();
  EXPECT_EQ(OnlyNode<Activate>(now).activation, relu6);
}

TEST(ImportOnnx, FreesAReshapeOfItsBatch) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{1, 12}, {-1, 12}, {0, 12}, {1, -1}, {0, -1}}) {
    const auto model = Model({0, 3, 4})
                           .Ints("shape", shape)
                           .Node("op_type: 'Reshape' input: 'x' input: 'shape' output: 'y'")
                           .Import();
    EXPECT_EQ(OnlyNode<Reshape>(model).dims[0], 0);
    EXPECT_TRUE(WithBatch(model->graph, 8).ok());
  }
}

TEST(ImportOnnx, NamesAnOpThatItDoesNotKnow) {
  const auto model =
      Model({0, 4}).Node("op_type: 'Erf' name: 'gelu' input: 'x' output: 'y'").Import();
  EXPECT_EQ(model.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("node \"gelu\" (Erf): ONNX op Erf"));
  const auto other =
      Model({0, 4}).Node("op_type: 'Relu' domain: 'com.example' input: 'x' output: 'y'").Import();
  EXPECT_EQ(other.status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ImportOnnx, RefusesOpsetsItWasNotMadeFor) {
  for (int opset : {6, 22}) {
    const auto model = Model({0, 4}, opset).Node("op_type: 'Relu' input: 'x' output: 'y'").Import();
    EXPECT_EQ(model.status().code(), absl::StatusCode::kUnimplemented);
  }
}

TEST(ImportOnnx, RefusesValuesBeyondTheLimits) {
  const auto huge =
      Model({0, 65536, 65536, 4}).Node("op_type: 'Relu' input: 'x' output: 'y'").Import();
  EXPECT_EQ(huge.status().code(), absl::StatusCode::kInvalidArgument) << huge.status();
  const auto wide = Model({0, 65537}).Node("op_type: 'Relu' input: 'x' output: 'y'").Import();
  EXPECT_EQ(wide.status().code(), absl::StatusCode::kInvalidArgument) << wide.status();
}

TEST(ImportOnnx, RefusesATensorWhoseDataIsTooShort) {
  const auto model = Model({0, 2})
                         .Weight("w", {2, 1LL << 40}, {1, 2})
                         .Node("op_type: 'MatMul' input: 'x' input: 'w' output: 'y'")
                         .Import();
  EXPECT_EQ(model.status().code(), absl::StatusCode::kDataLoss) << model.status();
}

TEST(ImportOnnx, RefusesShapesThatDoNotFit) {
  const auto model = Model({0, 3})
                         .Weight("w", {2, 1}, {1, 2})
                         .Node("op_type: 'MatMul' input: 'x' input: 'w' output: 'y'")
                         .Import();
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
}

TEST(ImportOnnx, RefusesValuesThatNothingOrTwoNodesMake) {
  const auto none = Model({0, 3}).Node("op_type: 'Relu' input: 'z' output: 'y'").Import();
  EXPECT_EQ(none.status().code(), absl::StatusCode::kDataLoss) << none.status();
  const auto twice = Model({0, 3})
                         .Node("op_type: 'Relu' input: 'x' output: 'y'")
                         .Node("op_type: 'Relu' input: 'x' output: 'y'")
                         .Import();
  EXPECT_EQ(twice.status().code(), absl::StatusCode::kDataLoss) << twice.status();
}

TEST(ImportOnnx, KeepsAResidualApartWhenTheSumHasAnotherReader) {
  // Named as ExportOnnx splits a node, but joining would lose "sum".
  const auto model = Model({0, 3})
                         .Node("op_type: 'Add' name: 'a' input: 'x' input: 'x' output: 'sum'")
                         .Node("op_type: 'Relu' name: 'a/activation' input: 'sum' output: 'r'")
                         .Node("op_type: 'Add' name: 'b' input: 'sum' input: 'r' output: 'y'")
                         .Import();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.nodes().size(), 3u);
}

TEST(OnnxImport, RefusesASplitThatIsNoPairDifference) {
  const std::string halves =
      R"(op_type: "Split" input: "x" input: "halves" output: "a" output: "b"
         attribute { name: "axis" type: INT i: 1 })";
  Model right({0, 4});
  right.Ints("halves", {2, 2})
      .Node(halves)
      .Node(R"(op_type: "Sub" input: "b" input: "a" output: "y")");
  const auto imported = right.Import();
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(ToText(imported->graph), HasSubstr("y = PairDifference(x) : f32[1,2]"));
  Model turned({0, 4});
  turned.Ints("halves", {2, 2})
      .Node(halves)
      .Node(R"(op_type: "Sub" input: "a" input: "b" output: "y")");
  EXPECT_EQ(turned.Import().status().code(), absl::StatusCode::kUnimplemented);
  Model uneven({0, 4});
  uneven.Ints("halves", {1, 3})
      .Node(halves)
      .Node(R"(op_type: "Sub" input: "b" input: "a" output: "y")");
  EXPECT_EQ(uneven.Import().status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace fovea
