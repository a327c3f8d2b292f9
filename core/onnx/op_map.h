// The op map: for each op what it is in ONNX, and back. Both directions of an op stand in one
// file, op_*.cc; op_map.cc holds the table. Private to core/onnx.
#pragma once

#include "absl/status/status.h"
#include "core/graph/graph.h"
#include "core/onnx/reader.h"
#include "core/onnx/writer.h"

namespace fovea {

// Appends the ONNX nodes of a node. Unimplemented names an op without an ONNX form.
absl::Status ExportNode(const Node& node, OnnxWriter& writer);

// Appends the node of an ONNX node, by its op_type. Unimplemented names an op that is not known.
absl::Status ImportNode(NodeReader& reader);

// ---- fovea to ONNX.
absl::Status ToOnnx(const Conv& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const ConvTranspose& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Dense& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Pool& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const BatchNorm& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Activate& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Add& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const PRelu& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Mul& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Concat& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const GroupNorm& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const LocalResponseNorm& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Reshape& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Dropout& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Normalize& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const Softmax& op, const Node& node, OnnxWriter& writer);
absl::Status ToOnnx(const PairDifference& op, const Node& node, OnnxWriter& writer);

// ---- ONNX to fovea.
absl::Status FromConv(NodeReader& node);
absl::Status FromConvTranspose(NodeReader& node);
absl::Status FromGemm(NodeReader& node);
absl::Status FromMatMul(NodeReader& node);
absl::Status FromMaxPool(NodeReader& node);
absl::Status FromAveragePool(NodeReader& node);
absl::Status FromGlobalMaxPool(NodeReader& node);
absl::Status FromGlobalAveragePool(NodeReader& node);
absl::Status FromLpPool(NodeReader& node);
absl::Status FromGlobalLpPool(NodeReader& node);
absl::Status FromBatchNormalization(NodeReader& node);
absl::Status FromRelu(NodeReader& node);
absl::Status FromLeakyRelu(NodeReader& node);
absl::Status FromSigmoid(NodeReader& node);
absl::Status FromTanh(NodeReader& node);
absl::Status FromClip(NodeReader& node);
absl::Status FromElu(NodeReader& node);
absl::Status FromSelu(NodeReader& node);
absl::Status FromHardSigmoid(NodeReader& node);
absl::Status FromHardSwish(NodeReader& node);
absl::Status FromSoftplus(NodeReader& node);
absl::Status FromDiv(NodeReader& node);  // the start of a GELU
absl::Status FromAdd(NodeReader& node);
absl::Status FromPRelu(NodeReader& node);
absl::Status FromMul(NodeReader& node);
absl::Status FromConcat(NodeReader& node);
absl::Status FromInstanceNormalization(NodeReader& node);
absl::Status FromLrn(NodeReader& node);
absl::Status FromUnsqueeze(NodeReader& node);  // of a constant
absl::Status FromReshape(NodeReader& node);
absl::Status FromFlatten(NodeReader& node);
absl::Status FromDropout(NodeReader& node);
absl::Status FromCast(NodeReader& node);  // the start of a normalisation, or of a constant
absl::Status FromSoftmax(NodeReader& node);
absl::Status FromSplit(NodeReader& node);  // the start of a difference of halves
absl::Status FromIdentity(NodeReader& node);
absl::Status FromConstant(NodeReader& node);

// ---- Shared parts.
// The group norm that a Reshape begins: Reshape, InstanceNormalization, Reshape, Mul, Add.
bool BeginsGroupNorm(const NodeReader& node);
absl::Status FromGroupNorm(NodeReader& node);
// A parameter [C] as a name that broadcasts over x [N,C,...]: itself, or Unsqueeze to [C,1,1].
std::string PerChannel(ValueId parameter, int rank, const Node& node, const std::string& name,
                       OnnxWriter& writer);
// What an op computes before its residual and activation, as one ONNX node, then these as nodes
// "name/residual" and "name/activation". `inputs` are those of the first.
absl::Status AddWithEpilogue(const char* op, const Node& node, std::vector<std::string> inputs,
                             bool has_residual, const ActivationSpec& activation,
                             OnnxWriter& writer, onnx::NodeProto** first);
// The window of a convolution or pooling: attributes strides, pads, dilations, auto_pad.
// `kernel` [height, width]; x is [N,C,H,W].
absl::StatusOr<Window> WindowOf(const NodeReader& node, const Dims& x,
                                const std::vector<int64_t>& kernel);
void SetWindow(const Window& window, onnx::NodeProto& proto);

}  // namespace fovea
