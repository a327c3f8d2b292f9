#include "core/onnx/op_map.h"

#include <string>
#include <type_traits>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/graph/op_def.h"

namespace fovea {

namespace {

struct Rule {
  absl::string_view op;  // in ONNX
  absl::Status (*import)(NodeReader& node);
};

constexpr Rule kRules[] = {
    {"Add", FromAdd},
    {"AveragePool", FromAveragePool},
    {"BatchNormalization", FromBatchNormalization},
    {"Cast", FromCast},
    {"Clip", FromClip},
    {"Concat", FromConcat},
    {"Constant", FromConstant},
    {"Conv", FromConv},
    {"ConvTranspose", FromConvTranspose},
    {"Div", FromDiv},
    {"Dropout", FromDropout},
    {"Elu", FromElu},
    {"Flatten", FromFlatten},
    {"Gemm", FromGemm},
    {"GlobalAveragePool", FromGlobalAveragePool},
    {"GlobalLpPool", FromGlobalLpPool},
    {"GlobalMaxPool", FromGlobalMaxPool},
    {"HardSigmoid", FromHardSigmoid},
    {"HardSwish", FromHardSwish},
    {"Identity", FromIdentity},
    {"InstanceNormalization", FromInstanceNormalization},
    {"LRN", FromLrn},
    {"LeakyRelu", FromLeakyRelu},
    {"LpPool", FromLpPool},
    {"MatMul", FromMatMul},
    {"MaxPool", FromMaxPool},
    {"Mul", FromMul},
    {"PRelu", FromPRelu},
    {"Relu", FromRelu},
    {"Reshape", FromReshape},
    {"Selu", FromSelu},
    {"Sigmoid", FromSigmoid},
    {"Softmax", FromSoftmax},
    {"Softplus", FromSoftplus},
    {"Split", FromSplit},
    {"Tanh", FromTanh},
    {"Unsqueeze", FromUnsqueeze},
};

template <typename Op>
concept HasOnnxForm = requires(const Op& op, const Node& node, OnnxWriter& writer) {
  ToOnnx(op, node, writer);
};

}  // namespace

absl::Status ExportNode(const Node& node, OnnxWriter& writer) {
  return std::visit(
      [&](const auto& op) -> absl::Status {
        if constexpr (HasOnnxForm<std::decay_t<decltype(op)>>) {
          return ToOnnx(op, node, writer);
        } else {
          return absl::UnimplementedError(
              absl::StrCat("op ", std::string(OpOf(node.attrs).name), " has no ONNX form"));
        }
      },
      node.attrs);
}

absl::Status ImportNode(NodeReader& node) {
  const auto& proto = node.proto();
  const bool standard = proto.domain().empty() || proto.domain() == "ai.onnx";
  for (const Rule& rule : kRules) {
    if (standard && proto.op_type() == rule.op) return rule.import(node);
  }
  return absl::UnimplementedError(
      standard ? absl::StrCat("ONNX op ", proto.op_type())
               : absl::StrCat("op ", proto.op_type(), " of domain ", proto.domain()));
}

}  // namespace fovea
