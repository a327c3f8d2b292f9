// OnnxReader: the graph that an import builds; NodeReader: one ONNX node as its op's rule sees it.
// Private to core/onnx.
//
// Parameters and states are made when a node first uses an initializer as such, so they stand in
// order of use.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"
#include "onnx/onnx_pb.h"

namespace fovea {

// Beyond these a file is refused.
inline constexpr int64_t kMaxExtent = 65536;        // of an input, window, stride or pad
inline constexpr int64_t kMaxElements = 1LL << 31;  // of one value
inline constexpr int kMaxNodes = 10000;

class OnnxReader {
 public:
  explicit OnnxReader(const onnx::GraphProto& proto, int64_t opset)
      : proto_(proto), opset_(opset) {}

  // Reads the whole graph.
  absl::Status Read();

  Graph& graph() { return graph_; }
  std::map<std::string, Tensor>& values() { return values_; }

 private:
  friend class NodeReader;
  absl::Status IndexNames();
  absl::Status ReadInput();
  absl::Status ReadNodes();
  absl::Status ReadOutputs();

  struct TakenWeight {
    ValueId id;
    bool transposed;
  };

  // Whether the file has an initializer of this name.
  bool IsInitializer(const std::string& name) const { return initializers_.count(name) > 0; }

  const onnx::GraphProto& proto_;
  const int64_t opset_;
  Graph graph_;
  std::map<std::string, Tensor> values_;
  std::map<std::string, ValueId> ids_;                         // by ONNX name
  std::map<std::string, const onnx::TensorProto*> constants_;  // by ONNX name
  std::set<std::string> initializers_;
  std::map<const onnx::TensorProto*, TakenWeight> weights_;
  std::map<std::string, int> readers_;  // by ONNX name, outputs included
  std::map<ValueId, NodeId> producers_;
};

class NodeReader {
 public:
  NodeReader(OnnxReader& reader, int index) : reader_(reader), index_(index) {}

  const onnx::NodeProto& proto() const { return reader_.proto_.node(index_); }
  // The node `ahead` places behind this one; nullptr after the last.
  const onnx::NodeProto* Next(int ahead) const;
  NodeReader Ahead(int ahead) const { return NodeReader(reader_, index_ + ahead); }
  std::string name() const;
  int64_t opset() const { return reader_.opset_; }
  Graph& graph() { return reader_.graph_; }

  bool HasInput(int i) const;
  bool IsConstant(int i) const;
  // A value computed by the graph.
  absl::StatusOr<ValueId> Input(int i) const;
  const Dims& dims(ValueId id) const { return reader_.graph_.type(id).dims; }
  // An initializer as a parameter or state; with `transpose`, [K,O] becomes [O,K].
  absl::StatusOr<ValueId> Weight(int i, Role role, bool transpose = false);
  // An initializer of one element a channel, [C], [C,1,1] or [1,C,1,1], as a parameter [C].
  absl::StatusOr<ValueId> ChannelWeight(int i, int64_t channels);
  absl::StatusOr<Dims> ConstantDims(int i) const;
  absl::StatusOr<std::vector<float>> Floats(int i) const;
  absl::StatusOr<std::vector<int64_t>> Ints(int i) const;
  absl::StatusOr<float> Scalar(int i) const;

  // Attributes. InvalidArgument: of another kind than expected.
  absl::StatusOr<int64_t> Int(const char* name, int64_t otherwise) const;
  absl::StatusOr<float> Float(const char* name, float otherwise) const;
  absl::StatusOr<std::string> String(const char* name, const char* otherwise) const;
  absl::StatusOr<std::vector<int64_t>> IntList(const char* name,
                                               std::vector<int64_t> otherwise) const;

  // Adds the node; its first output is that of this ONNX node, or of the one `ahead` of it, whose
  // name it then takes.
  absl::Status Produce(Attrs attrs, std::vector<ValueId> inputs, std::vector<float> constants = {},
                       int ahead = 0);
  // The output is another name for this value or constant.
  absl::Status Alias(ValueId id);
  absl::Status AliasConstant();
  // The same for a constant of floats, whose type may differ.
  absl::Status AliasFloats();
  void DefineConstant(const onnx::TensorProto& tensor);

  // Whether this node and those behind it have these op types, each output but the last read by the
  // next node alone.
  bool IsChain(std::initializer_list<const char*> ops) const;
  // The name of input i; empty without one.
  std::string InputName(int i) const;
  // Whether this node, one of a chain, has `value` as an input, beside what the chain gives it.
  bool Reads(const std::string& value) const;

  // The node that made input i, when only this one reads it (`readers` times, by a chain): what
  // this ONNX node does may be joined to it, followed by Joined. nullptr otherwise. The pointer is
  // valid until the next Produce.
  Node* SoleProducer(int i, int readers = 1);
  // The same, for the parts of a node that ExportOnnx split: the last one, `ahead` of this, is
  // named as that node with `suffix`, and the first is directly behind it.
  Node* SplitFrom(int i, const char* suffix, int ahead = 0, int readers = 1);
  // The output of this ONNX node, or of the one `ahead` of it, is now the output of `node`.
  absl::Status Joined(const Node& node, int ahead = 0);

  int consumed() const { return consumed_; }

 private:
  absl::StatusOr<ValueId> TakeWeight(int i, Role role, bool transpose, Dims dims);
  absl::Status CheckOutput() const;
  const onnx::AttributeProto* Find(const char* name) const;
  absl::StatusOr<const onnx::TensorProto*> Constant(int i) const;
  absl::StatusOr<const onnx::AttributeProto*> FindTyped(
      const char* name, onnx::AttributeProto::AttributeType type) const;

  OnnxReader& reader_;
  const int index_;
  int consumed_ = 1;  // ONNX nodes that this one stood for
};

}  // namespace fovea
