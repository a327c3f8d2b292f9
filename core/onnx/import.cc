#include "core/onnx/import.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/reader.h"
#include "onnx/onnx_pb.h"

namespace fovea {

namespace {

constexpr int64_t kOldestOpset = 7, kNewestOpset = 21;

absl::StatusOr<int64_t> OpsetOf(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
    if (opset.version() >= kOldestOpset && opset.version() <= kNewestOpset) return opset.version();
    return absl::UnimplementedError(absl::StrCat("ONNX opset ", opset.version(), ", expected ",
                                                 kOldestOpset, " to ", kNewestOpset));
  }
  return absl::DataLossError("an ONNX file without an opset");
}

}  // namespace

absl::StatusOr<ImportedModel> ImportOnnx(absl::string_view bytes) {
  onnx::ModelProto model;
  if (bytes.empty() || bytes.size() > std::numeric_limits<int>::max() ||
      !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph()) {
    return absl::DataLossError(
        absl::StrCat("not an ONNX file, or damaged (", bytes.size(), " bytes)"));
  }
  ASSIGN_OR_RETURN(const int64_t opset, OpsetOf(model));
  OnnxReader reader(model.graph(), opset);
  RETURN_IF_ERROR(reader.Read());
  ImportedModel imported;
  imported.graph = std::move(reader.graph());
  imported.values = std::move(reader.values());
  for (const auto& entry : model.metadata_props()) imported.metadata[entry.key()] = entry.value();
  return imported;
}

}  // namespace fovea
