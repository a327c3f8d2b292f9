#include "core/onnx/reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"
#include "core/onnx/tensor_proto.h"

namespace fovea {

namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

// Fails when a value is empty or larger than any we run.
absl::Status CheckSize(const Value& value) {
  int64_t count = 1;
  for (int64_t extent : value.type.dims.extents()) {
    if (extent < 1 || __builtin_mul_overflow(count, extent, &count) || count > kMaxElements) {
      return absl::InvalidArgumentError(absl::StrCat("value \"", value.name, "\" is ",
                                                     value.type.ToString(), ", expected 1 to ",
                                                     kMaxElements, " elements"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<DType> DTypeOf(int onnx_type) {
  if (onnx_type == TensorProto::UINT8) return DType::kU8;
  if (onnx_type == TensorProto::FLOAT) return DType::kF32;
  return absl::UnimplementedError(
      absl::StrCat("input of element type ", onnx_type, ", expected UINT8 or FLOAT"));
}

// The dims of the graph's input; an open batch is 1.
absl::StatusOr<Dims> InputDims(const onnx::TensorShapeProto& shape) {
  if (shape.dim_size() < 2 || shape.dim_size() > Dims::kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("input of ", shape.dim_size(), " axes, expected 2 to ", Dims::kMaxRank));
  }
  Dims dims;
  for (int axis = 0; axis < shape.dim_size(); ++axis) {
    const int64_t extent = shape.dim(axis).dim_value();  // 0: symbolic or open
    if (axis == 0 && extent <= 0) {
      dims.Append(1);
    } else if (extent < 1 || extent > kMaxExtent) {
      return absl::InvalidArgumentError(absl::StrCat("input axis ", axis, " has extent ", extent,
                                                     ", expected 1 to ", kMaxExtent));
    } else {
      dims.Append(extent);
    }
  }
  return dims;
}

}  // namespace

absl::Status OnnxReader::Read() {
  if (proto_.node_size() > kMaxNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat(proto_.node_size(), " nodes, expected at most ", kMaxNodes));
  }
  RETURN_IF_ERROR(IndexNames());
  RETURN_IF_ERROR(ReadInput());
  RETURN_IF_ERROR(ReadNodes());
  RETURN_IF_ERROR(ReadOutputs());
  graph_.AssignRegions();
  return Verify(graph_);
}

absl::Status OnnxReader::IndexNames() {
  if (proto_.sparse_initializer_size() > 0) {
    return absl::UnimplementedError("sparse initializers");
  }
  std::set<std::string> made;
  for (const TensorProto& tensor : proto_.initializer()) {
    constants_[tensor.name()] = &tensor;
    initializers_.insert(tensor.name());
    if (!made.insert(tensor.name()).second) {
      return absl::DataLossError(absl::StrCat("two initializers \"", tensor.name(), "\""));
    }
  }
  for (const auto& input : proto_.input()) made.insert(input.name());
  for (const auto& node : proto_.node()) {
    for (const std::string& input : node.input()) ++readers_[input];
    for (const std::string& output : node.output()) {
      if (!output.empty() && !made.insert(output).second) {
        return absl::DataLossError(absl::StrCat("value \"", output, "\" is made twice"));
      }
    }
  }
  for (const auto& output : proto_.output()) ++readers_[output.name()];
  return absl::OkStatus();
}

absl::Status OnnxReader::ReadInput() {
  const onnx::ValueInfoProto* input = nullptr;
  int count = 0;
  for (const auto& candidate : proto_.input()) {
    if (constants_.count(candidate.name()) > 0) continue;  // as files before IR 4 list weights
    input = &candidate;
    ++count;
  }
  if (count != 1) {
    return absl::InvalidArgumentError(absl::StrCat("the graph has ", count, " inputs, expected 1"));
  }
  const auto& type = input->type().tensor_type();
  ASSIGN_OR_RETURN(const DType dtype, DTypeOf(type.elem_type()));
  ASSIGN_OR_RETURN(const Dims dims, InputDims(type.shape()));
  const ValueId id = graph_.AddInput(input->name(), {dtype, dims});
  ids_[input->name()] = id;
  return CheckSize(graph_.value(id));
}

absl::Status OnnxReader::ReadNodes() {
  for (int i = 0; i < proto_.node_size();) {
    NodeReader node(*this, i);
    const absl::Status status = ImportNode(node);
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("node \"", node.name(), "\" (", node.proto().op_type(),
                                       "): ", status.message()));
    }
    i += node.consumed();
  }
  return absl::OkStatus();
}

absl::Status OnnxReader::ReadOutputs() {
  if (proto_.output_size() == 0) {
    return absl::InvalidArgumentError("the graph has no output, expected at least 1");
  }
  for (const auto& output : proto_.output()) {
    const auto found = ids_.find(output.name());
    if (found == ids_.end() || producers_.count(found->second) == 0) {
      return absl::DataLossError(absl::StrCat("no node makes the output \"", output.name(), "\""));
    }
    graph_.MarkOutput(found->second);
  }
  return absl::OkStatus();
}

const onnx::NodeProto* NodeReader::Next(int ahead) const {
  const int at = index_ + ahead;
  return at < reader_.proto_.node_size() ? &reader_.proto_.node(at) : nullptr;
}

std::string NodeReader::name() const {
  if (!proto().name().empty()) return proto().name();
  return proto().output_size() > 0 ? proto().output(0) : proto().op_type();
}

bool NodeReader::HasInput(int i) const {
  return i < proto().input_size() && !proto().input(i).empty();
}

bool NodeReader::IsConstant(int i) const {
  return HasInput(i) && reader_.constants_.count(proto().input(i)) > 0;
}

absl::StatusOr<ValueId> NodeReader::Input(int i) const {
  if (!HasInput(i)) return absl::DataLossError(absl::StrCat("no input ", i));
  const auto found = reader_.ids_.find(proto().input(i));
  if (found != reader_.ids_.end()) return found->second;
  if (IsConstant(i)) {
    return absl::UnimplementedError(
        absl::StrCat("constant \"", proto().input(i), "\" as input ", i));
  }
  return absl::DataLossError(absl::StrCat("nothing makes input \"", proto().input(i), "\""));
}

absl::StatusOr<const TensorProto*> NodeReader::Constant(int i) const {
  if (!HasInput(i)) return absl::DataLossError(absl::StrCat("no input ", i));
  const auto found = reader_.constants_.find(proto().input(i));
  if (found != reader_.constants_.end()) return found->second;
  return absl::UnimplementedError(
      absl::StrCat("input ", i, ", \"", proto().input(i), "\", is computed, expected a constant"));
}

absl::StatusOr<Dims> NodeReader::ConstantDims(int i) const {
  ASSIGN_OR_RETURN(const TensorProto* tensor, Constant(i));
  return DimsOf(*tensor);
}

absl::StatusOr<std::vector<float>> NodeReader::Floats(int i) const {
  ASSIGN_OR_RETURN(const TensorProto* tensor, Constant(i));
  return FloatsOf(*tensor);
}

absl::StatusOr<std::vector<int64_t>> NodeReader::Ints(int i) const {
  ASSIGN_OR_RETURN(const TensorProto* tensor, Constant(i));
  return IntsOf(*tensor);
}

absl::StatusOr<float> NodeReader::Scalar(int i) const {
  ASSIGN_OR_RETURN(const Dims dims, ConstantDims(i));
  if (dims.count() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " is ", dims.ToString(), ", expected one element"));
  }
  ASSIGN_OR_RETURN(const std::vector<float> values, Floats(i));
  return values[0];
}

absl::StatusOr<ValueId> NodeReader::Weight(int i, Role role, bool transpose) {
  ASSIGN_OR_RETURN(const Dims dims, ConstantDims(i));
  return TakeWeight(i, role, transpose, dims);
}

absl::StatusOr<ValueId> NodeReader::ChannelWeight(int i, int64_t channels) {
  ASSIGN_OR_RETURN(const Dims dims, ConstantDims(i));
  const bool leading_one = dims.rank() == 4 && dims[0] == 1;
  const int axis = leading_one ? 1 : 0;
  if (dims.rank() == 0 || dims.count() != channels || dims[axis] != channels) {
    return absl::UnimplementedError(absl::StrCat("\"", InputName(i), "\" is ", dims.ToString(),
                                                 ", expected one element for each of ", channels,
                                                 " channels"));
  }
  return TakeWeight(i, Role::kParameter, false, {channels});
}

// The constant at input i, with these dims for its own.
absl::StatusOr<ValueId> NodeReader::TakeWeight(int i, Role role, bool transpose, Dims dims) {
  ASSIGN_OR_RETURN(const TensorProto* tensor, Constant(i));
  // An initializer keeps its name behind an Unsqueeze, not behind the Cast of one of 16 bits; the
  // tensor of a Constant node has none.
  const bool keeps_name =
      reader_.IsInitializer(tensor->name()) && tensor->data_type() == TensorProto::FLOAT;
  const std::string name = keeps_name ? tensor->name() : proto().input(i);
  if (const auto taken = reader_.weights_.find(tensor); taken != reader_.weights_.end()) {
    const auto [id, transposed] = taken->second;
    if (graph().value(id).role == role && transposed == transpose) return id;
    return absl::UnimplementedError(absl::StrCat("\"", name, "\" is used in two ways"));
  }
  ASSIGN_OR_RETURN(const std::vector<float> source, FloatsOf(*tensor));
  if (transpose && dims.rank() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight \"", name, "\" is ", dims.ToString(), ", expected two axes"));
  }
  if (transpose) std::swap(dims[0], dims[1]);
  const ValueId id =
      role == Role::kParameter ? graph().AddParameter(name, dims) : graph().AddState(name, dims);
  Tensor values(graph().type(id));
  float* target = values.as<float>();
  if (transpose) {
    for (int64_t o = 0; o < dims[0]; ++o) {
      for (int64_t k = 0; k < dims[1]; ++k) target[o * dims[1] + k] = source[k * dims[0] + o];
    }
  } else {
    std::copy(source.begin(), source.end(), target);
  }
  reader_.values_[graph().value(id).name] = std::move(values);
  reader_.weights_[tensor] = {id, transpose};
  return id;
}

const AttributeProto* NodeReader::Find(const char* name) const {
  for (const AttributeProto& attribute : proto().attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

absl::StatusOr<const AttributeProto*> NodeReader::FindTyped(
    const char* name, AttributeProto::AttributeType type) const {
  const AttributeProto* attribute = Find(name);
  if (attribute == nullptr || attribute->type() == type) return attribute;
  return absl::DataLossError(
      absl::StrCat("attribute \"", name, "\" has type ", attribute->type(), ", expected ", type));
}

absl::StatusOr<int64_t> NodeReader::Int(const char* name, int64_t otherwise) const {
  ASSIGN_OR_RETURN(const AttributeProto* attribute, FindTyped(name, AttributeProto::INT));
  return attribute == nullptr ? otherwise : attribute->i();
}

absl::StatusOr<float> NodeReader::Float(const char* name, float otherwise) const {
  ASSIGN_OR_RETURN(const AttributeProto* attribute, FindTyped(name, AttributeProto::FLOAT));
  return attribute == nullptr ? otherwise : attribute->f();
}

absl::StatusOr<std::string> NodeReader::String(const char* name, const char* otherwise) const {
  ASSIGN_OR_RETURN(const AttributeProto* attribute, FindTyped(name, AttributeProto::STRING));
  return attribute == nullptr ? std::string(otherwise) : attribute->s();
}

absl::StatusOr<std::vector<int64_t>> NodeReader::IntList(const char* name,
                                                         std::vector<int64_t> otherwise) const {
  ASSIGN_OR_RETURN(const AttributeProto* attribute, FindTyped(name, AttributeProto::INTS));
  if (attribute == nullptr) return otherwise;
  return std::vector<int64_t>(attribute->ints().begin(), attribute->ints().end());
}

absl::Status NodeReader::CheckOutput() const {
  if (proto().output_size() > 0 && !proto().output(0).empty()) return absl::OkStatus();
  return absl::DataLossError("no output");
}

absl::Status NodeReader::Produce(Attrs attrs, std::vector<ValueId> inputs,
                                 std::vector<float> constants, int ahead) {
  const NodeReader last(reader_, index_ + ahead);
  RETURN_IF_ERROR(last.CheckOutput());
  for (int i = 1; i < last.proto().output_size(); ++i) {
    if (reader_.readers_[last.proto().output(i)] > 0) {
      return absl::UnimplementedError(absl::StrCat("output ", i));
    }
  }
  ASSIGN_OR_RETURN(const ValueId y,
                   graph().Add1(last.name(), attrs, std::move(inputs), std::move(constants)));
  const std::string& output = last.proto().output(0);
  graph().mutable_value(y).name = output;
  reader_.ids_[output] = y;
  reader_.producers_[y] = static_cast<NodeId>(graph().nodes().size()) - 1;
  consumed_ = ahead + 1;
  return CheckSize(graph().value(y));
}

absl::Status NodeReader::Alias(ValueId id) {
  RETURN_IF_ERROR(CheckOutput());
  const std::string& output = proto().output(0);
  reader_.ids_[output] = id;
  const auto& outputs = reader_.proto_.output();
  const bool is_output = std::any_of(outputs.begin(), outputs.end(),
                                     [&](const auto& info) { return info.name() == output; });
  if (is_output && graph().value(id).role == Role::kTemporary) {
    graph().mutable_value(id).name = output;
  }
  return absl::OkStatus();
}

absl::Status NodeReader::AliasConstant() {
  ASSIGN_OR_RETURN(const TensorProto* tensor, Constant(0));
  DefineConstant(*tensor);
  return absl::OkStatus();
}

absl::Status NodeReader::AliasFloats() {
  RETURN_IF_ERROR(Floats(0).status());
  return AliasConstant();
}

void NodeReader::DefineConstant(const TensorProto& tensor) {
  if (proto().output_size() > 0) reader_.constants_[proto().output(0)] = &tensor;
}

bool NodeReader::IsChain(std::initializer_list<const char*> ops) const {
  int ahead = 0;
  const onnx::NodeProto* before = nullptr;
  for (const char* op : ops) {
    const onnx::NodeProto* proto = Next(ahead++);
    if (proto == nullptr || proto->op_type() != op || proto->output_size() < 1) return false;
    if (before != nullptr) {
      const std::string& link = before->output(0);
      const auto readers = reader_.readers_.find(link);
      if (readers == reader_.readers_.end() || readers->second != 1) return false;
      if (std::count(proto->input().begin(), proto->input().end(), link) != 1) return false;
    }
    before = proto;
  }
  return true;
}

std::string NodeReader::InputName(int i) const { return HasInput(i) ? proto().input(i) : ""; }

bool NodeReader::Reads(const std::string& value) const {
  return std::count(proto().input().begin(), proto().input().end(), value) > 0;
}

Node* NodeReader::SoleProducer(int i, int readers) {
  if (!HasInput(i) || reader_.readers_[proto().input(i)] != readers) return nullptr;
  const auto id = reader_.ids_.find(proto().input(i));
  if (id == reader_.ids_.end()) return nullptr;
  const auto producer = reader_.producers_.find(id->second);
  if (producer == reader_.producers_.end()) return nullptr;
  Node& node = graph().mutable_nodes()[producer->second];
  // An alias may have other readers under another name.
  return graph().value(node.outputs[0]).name == proto().input(i) ? &node : nullptr;
}

Node* NodeReader::SplitFrom(int i, const char* suffix, int ahead, int readers) {
  Node* node = SoleProducer(i, readers);
  if (node == nullptr || node != &graph().mutable_nodes().back()) return nullptr;
  return Ahead(ahead).name() == absl::StrCat(node->name, suffix) ? node : nullptr;
}

absl::Status NodeReader::Joined(const Node& node, int ahead) {
  const NodeReader last(reader_, index_ + ahead);
  RETURN_IF_ERROR(last.CheckOutput());
  const std::string& output = last.proto().output(0);
  graph().mutable_value(node.outputs[0]).name = output;
  reader_.ids_[output] = node.outputs[0];
  consumed_ = ahead + 1;
  return absl::OkStatus();
}

}  // namespace fovea
