// OnnxWriter: the ONNX graph under construction. Private to core/onnx.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "onnx/onnx_pb.h"

namespace fovea {

class OnnxWriter {
 public:
  OnnxWriter(const Graph& graph, onnx::GraphProto& proto);

  const Graph& graph() const { return graph_; }
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  // The names of a node's first `count` inputs (all of them: −1).
  std::vector<std::string> Inputs(const Node& node, int count = -1) const;

  // Appends the ONNX node of a whole node; its one output has the value's name.
  onnx::NodeProto& AddNode(const char* op, const Node& node, std::vector<std::string> inputs);
  // Appends one of several ONNX nodes of a node, with a name of its own; returns the name of its
  // output: the value's for the last one.
  std::string AddStage(const char* op, const Node& node, const std::string& name,
                       std::vector<std::string> inputs, bool last,
                       onnx::NodeProto** proto = nullptr);

  // A further output of a node; returns its name.
  std::string AddOutput(onnx::NodeProto& proto, const std::string& name);

  // Initializers that are neither parameters nor states; return their name.
  std::string AddFloats(const std::string& name, absl::Span<const int64_t> dims,
                        absl::Span<const float> values);
  std::string AddScalar(const std::string& name, float value);
  std::string AddInts(const std::string& name, absl::Span<const int64_t> values);

 private:
  std::string NewName(std::string name);  // with underscores when it is taken

  const Graph& graph_;
  onnx::GraphProto& proto_;
  std::set<std::string> taken_;
};

// Attributes.
void SetInt(onnx::NodeProto& node, const char* name, int64_t value);
void SetFloat(onnx::NodeProto& node, const char* name, float value);
void SetInts(onnx::NodeProto& node, const char* name, absl::Span<const int64_t> values);

}  // namespace fovea
