#include "core/onnx/export.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"
#include "core/onnx/tensor_proto.h"
#include "core/onnx/writer.h"

namespace fovea {

namespace {

constexpr int64_t kIrVersion = 7;  // the one of opset 13 (ONNX 1.8)
constexpr int64_t kOpset = 13;
constexpr char kBatch[] = "N";
constexpr int64_t kMaxBytes = (1LL << 31) - (1 << 20);  // protobuf's limit, less the structure

absl::Status DescribePort(const Value& value, onnx::ValueInfoProto& info) {
  if (value.type.dtype != DType::kU8 && value.type.dtype != DType::kF32) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value.name, "\" is ", value.type.ToString(), ", expected u8 or f32"));
  }
  info.set_name(value.name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(value.type.dtype == DType::kU8 ? onnx::TensorProto::UINT8
                                                      : onnx::TensorProto::FLOAT);
  for (int axis = 0; axis < value.type.dims.rank(); ++axis) {
    auto& dim = *tensor.mutable_shape()->add_dim();
    if (axis == 0) {
      dim.set_dim_param(kBatch);
    } else {
      dim.set_dim_value(value.type.dims[axis]);
    }
  }
  return absl::OkStatus();
}

// A weight of 16 bits and the node that makes it a FLOAT of the value's name.
void AddF16Weight(const Value& value, const TensorView& view, onnx::GraphProto& proto) {
  const std::string stored = value.name + "/f16";
  SetF16s(stored, value.type.dims.extents(), {view.as<float>(), size_t(view.count())},
          *proto.add_initializer());
  onnx::NodeProto& cast = *proto.add_node();
  cast.set_op_type("Cast");
  cast.set_name(value.name + "/cast");
  cast.add_input(stored);
  cast.add_output(value.name);
  SetInt(cast, "to", onnx::TensorProto::FLOAT);
}

// Parameters and states, in the graph's order.
absl::Status AddWeights(const Graph& graph, ValueSource values, const OnnxExportOptions& options,
                        onnx::GraphProto& proto) {
  int64_t bytes = 0;
  for (const Value& value : graph.values()) {
    if (value.role != Role::kParameter && value.role != Role::kState) continue;
    ASSIGN_OR_RETURN(const TensorView view, values(value.name));
    if (view.type != Type{DType::kF32, value.type.dims}) {
      return absl::InvalidArgumentError(absl::StrCat("values of \"", value.name, "\" are ",
                                                     view.type.ToString(), ", expected f32",
                                                     value.type.dims.ToString()));
    }
    bytes += static_cast<int64_t>(view.type.dense_bytes());
    if (bytes > kMaxBytes) {
      return absl::InvalidArgumentError("the weights exceed 2 GiB, the limit of an ONNX file");
    }
    if (options.store_as_f16 && options.store_as_f16(value)) {
      AddF16Weight(value, view, proto);
      continue;
    }
    SetFloats(value.name, value.type.dims.extents(), {view.as<float>(), size_t(view.count())},
              *proto.add_initializer());
  }
  return absl::OkStatus();
}

bool IsLastActivation(const Node& node) {
  if (std::holds_alternative<Softmax>(node.attrs)) return true;
  const auto* op = std::get_if<Activate>(&node.attrs);
  return op != nullptr && op->activation.kind == Activation::kSigmoid;
}

// The roles of layers, found in the graph's shape.
std::map<std::string, std::string> Roles(const Graph& graph) {
  std::map<std::string, std::string> roles = {{"fovea.format", "1"}};
  const std::vector<NodeId> producers = graph.Producers();
  for (const Node& node : graph.nodes()) {
    if (std::holds_alternative<Normalize>(node.attrs)) roles["fovea.normalization"] = node.name;
  }
  if (graph.outputs().empty()) return roles;
  ValueId logits = graph.outputs()[0];
  NodeId producer = producers[logits];
  if (producer >= 0 && IsLastActivation(graph.nodes()[producer])) {
    roles["fovea.activation"] = graph.nodes()[producer].name;
    logits = graph.nodes()[producer].inputs[0];
    producer = producers[logits];
  }
  roles["fovea.logits"] = graph.value(logits).name;
  if (producer >= 0 && std::holds_alternative<PairDifference>(graph.nodes()[producer].attrs)) {
    producer = producers[graph.nodes()[producer].inputs[0]];
  }
  if (producer >= 0) roles["fovea.classifier"] = graph.nodes()[producer].name;
  return roles;
}

void AddMetadata(const std::map<std::string, std::string>& metadata, onnx::ModelProto& model) {
  for (const auto& [key, value] : metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
}

absl::Status AddPorts(const Graph& graph, onnx::GraphProto& proto) {
  for (const Value& value : graph.values()) {
    switch (value.role) {
      case Role::kInput:
        RETURN_IF_ERROR(DescribePort(value, *proto.add_input()));
        break;
      case Role::kSlot:
      case Role::kGradient:
      case Role::kAverage:
        return absl::UnimplementedError(absl::StrCat("\"", value.name, "\" is a ",
                                                     RoleName(value.role),
                                                     ": a training graph has no ONNX form"));
      default:
        break;
    }
  }
  for (ValueId id : graph.outputs()) {
    RETURN_IF_ERROR(DescribePort(graph.value(id), *proto.add_output()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ExportOnnx(const Graph& graph, ValueSource values,
                                       const OnnxExportOptions& options) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("fovea");
  model.add_opset_import()->set_version(kOpset);
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name(options.name.empty() ? "fovea" : options.name);
  RETURN_IF_ERROR(AddWeights(graph, values, options, proto));
  OnnxWriter writer(graph, proto);
  for (const Node& node : graph.nodes()) {
    const absl::Status status = ExportNode(node, writer);
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("node \"", node.name, "\": ", status.message()));
    }
  }
  RETURN_IF_ERROR(AddPorts(graph, proto));
  std::map<std::string, std::string> metadata = Roles(graph);
  for (const auto& [key, value] : options.metadata) metadata[key] = value;
  AddMetadata(metadata, model);
  std::string bytes;
  if (!model.SerializeToString(&bytes)) return absl::InternalError("ONNX serialisation failed");
  return bytes;
}

absl::StatusOr<std::string> ExportOnnx(const Graph& graph,
                                       const std::map<std::string, Tensor>& values,
                                       const OnnxExportOptions& options) {
  const auto find = [&](const std::string& name) -> absl::StatusOr<TensorView> {
    const auto found = values.find(name);
    if (found != values.end()) return found->second.view();
    return absl::InvalidArgumentError(absl::StrCat("no values for \"", name, "\""));
  };
  return ExportOnnx(graph, find, options);
}

}  // namespace fovea
