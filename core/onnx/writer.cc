#include "core/onnx/writer.h"

#include <utility>

#include "core/onnx/tensor_proto.h"

namespace fovea {

namespace {

onnx::AttributeProto& AddAttribute(onnx::NodeProto& node, const char* name,
                                   onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

}  // namespace

OnnxWriter::OnnxWriter(const Graph& graph, onnx::GraphProto& proto) : graph_(graph), proto_(proto) {
  for (const Value& value : graph.values()) taken_.insert(value.name);
}

std::string OnnxWriter::NewName(std::string name) {
  while (!taken_.insert(name).second) name += "_";
  return name;
}

std::vector<std::string> OnnxWriter::Inputs(const Node& node, int count) const {
  std::vector<std::string> names;
  for (ValueId id : node.inputs) {
    if (count >= 0 && names.size() == static_cast<size_t>(count)) break;
    names.push_back(name(id));
  }
  return names;
}

onnx::NodeProto& OnnxWriter::AddNode(const char* op, const Node& node,
                                     std::vector<std::string> inputs) {
  onnx::NodeProto* proto = nullptr;
  AddStage(op, node, node.name, std::move(inputs), true, &proto);
  return *proto;
}

std::string OnnxWriter::AddStage(const char* op, const Node& node, const std::string& name,
                                 std::vector<std::string> inputs, bool last,
                                 onnx::NodeProto** proto) {
  onnx::NodeProto& added = *proto_.add_node();
  added.set_op_type(op);
  added.set_name(name);
  for (std::string& input : inputs) added.add_input(std::move(input));
  added.add_output(last ? this->name(node.outputs[0]) : NewName(name + "/out"));
  if (proto != nullptr) *proto = &added;
  return added.output(0);
}

std::string OnnxWriter::AddOutput(onnx::NodeProto& proto, const std::string& name) {
  proto.add_output(NewName(name));
  return proto.output(proto.output_size() - 1);
}

std::string OnnxWriter::AddFloats(const std::string& name, absl::Span<const int64_t> dims,
                                  absl::Span<const float> values) {
  onnx::TensorProto& tensor = *proto_.add_initializer();
  SetFloats(NewName(name), dims, values, tensor);
  return tensor.name();
}

std::string OnnxWriter::AddScalar(const std::string& name, float value) {
  return AddFloats(name, {}, {value});
}

std::string OnnxWriter::AddInts(const std::string& name, absl::Span<const int64_t> values) {
  onnx::TensorProto& tensor = *proto_.add_initializer();
  SetInts(NewName(name), values, tensor);
  return tensor.name();
}

void SetInt(onnx::NodeProto& node, const char* name, int64_t value) {
  AddAttribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void SetFloat(onnx::NodeProto& node, const char* name, float value) {
  AddAttribute(node, name, onnx::AttributeProto::FLOAT).set_f(value);
}

void SetInts(onnx::NodeProto& node, const char* name, absl::Span<const int64_t> values) {
  onnx::AttributeProto& attribute = AddAttribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}

}  // namespace fovea
