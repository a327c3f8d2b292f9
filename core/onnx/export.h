// ExportOnnx: an inference graph and its weights as a standard ONNX file (opset 13).
//
// The file stands alone: pixels u8 [N,H,W,C] with a symbolic batch "N" go in, the normalisation is
// a chain Cast, Transpose, Div, Sub, Div that ImportOnnx recognises, the last activation is in it.
// Convolutions and batch norms are not folded. A node with a fused residual or activation becomes
// several ONNX nodes, "name", "name/residual", "name/activation", which import joins again: the
// text of the imported graph is the text of the exported one.
//
// metadata_props (each left out where the graph has no such thing):
//   fovea.format          "1"
//   fovea.normalization   the node that normalises the pixels
//   fovea.classifier      the layer whose output are the logits, or the pairs they are made of
//   fovea.logits          the value before the last activation
//   fovea.activation      the node that turns logits into probabilities
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"

namespace fovea {

struct OnnxExportOptions {
  std::string name;                             // of the graph, for people; empty: "fovea"
  std::map<std::string, std::string> metadata;  // further metadata_props
  // Values for which this says true are stored as FLOAT16 and cast to FLOAT by a node of the file.
  // They are rounded to nearest, limited to ±65504. Empty: all are FLOAT.
  std::function<bool(const Value&)> store_as_f16 = {};
};

// The dense f32 values of a parameter or state.
using ValueSource = absl::FunctionRef<absl::StatusOr<TensorView>(const std::string& name)>;

// The bytes of the file. Unimplemented names an op that has no ONNX form (those of training and of
// backends); InvalidArgument: values of another type than the graph's, or 2 GiB and more.
absl::StatusOr<std::string> ExportOnnx(const Graph& graph, ValueSource values,
                                       const OnnxExportOptions& options);

// The same with the values in a map.
absl::StatusOr<std::string> ExportOnnx(const Graph& graph,
                                       const std::map<std::string, Tensor>& values,
                                       const OnnxExportOptions& options);

}  // namespace fovea
