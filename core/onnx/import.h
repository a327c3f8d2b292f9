// ImportOnnx: an ONNX file as a graph with its weights.
//
// Takes what ExportOnnx writes, and from other tools float graphs of Conv, Gemm, MatMul (with a
// following Add of a bias), ConvTranspose, BatchNormalization, InstanceNormalization, LRN, Relu,
// LeakyRelu, PRelu, Elu, Selu, Sigmoid, HardSigmoid, HardSwish, Softplus, Tanh, Clip, Add, Mul,
// Concat, MaxPool, AveragePool, LpPool and their global forms, Flatten, Reshape, Softmax, Split in
// halves with their Sub, Dropout, Identity, Constant in opsets 7 to 21, and the chains that stand
// for SiLU, hard-swish, GELU and group norm (op_elementwise.cc, op_norm.cc). The bytes may come
// from anywhere: nothing in them makes import crash or allocate more than a small multiple of their
// size.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"

namespace fovea {

struct ImportedModel {
  Graph graph;                                  // batch 1 where the file leaves the batch open
  std::map<std::string, Tensor> values;         // f32, of every parameter and state
  std::map<std::string, std::string> metadata;  // metadata_props
};

// DataLoss: not ONNX, or damaged. Unimplemented names the op, type or opset that is not known.
// InvalidArgument: shapes that do not fit each other, or larger than the limits.
absl::StatusOr<ImportedModel> ImportOnnx(absl::string_view bytes);

}  // namespace fovea
