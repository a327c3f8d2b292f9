#include "core/model/format.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/status.h"
#include "core/model/quantization.h"
#include "core/model/storage.h"
#include "core/model/text_proto.h"
#include "core/onnx/export.h"
#include "core/onnx/import.h"

namespace fovea {

namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr char kModelFile[] = "model.onnx";
constexpr char kLabelsFile[] = "labels.txt";
constexpr char kGoldenFile[] = "golden.pb";
constexpr char kQuantizationFile[] = "quantization.pb";
constexpr char kManifestFile[] = "manifest.textproto";

std::string LabelsText(const v1::ModelManifest& manifest) {
  std::string text;
  for (const std::string& label : manifest.labels()) {
    absl::StrAppend(&text, absl::StrReplaceAll(label, {{"\n", " "}, {"\r", " "}}), "\n");
  }
  return text;
}

absl::Status Disagree(absl::string_view what, absl::string_view found, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", found, ", expected ", expected));
}

// Probabilities or values that the graph gives: one a label, but only the positive one's if binary.
int OutputsOf(const v1::ModelManifest& manifest) {
  return manifest.task() == v1::TASK_BINARY ? 1 : manifest.labels_size();
}

// The graph's ports of a kind have these names, and all this type.
absl::Status CheckPorts(absl::string_view kind, const Graph& graph, const std::vector<ValueId>& ids,
                        const std::vector<std::string>& names, const Type& expected) {
  if (ids.size() != names.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the graph has ", ids.size(), " ", kind,
                                                   "s, expected ", names.size(), ": ",
                                                   absl::StrJoin(names, ", ")));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const Value& value = graph.value(ids[i]);
    if (value.name == names[i] && value.type == expected) continue;
    return Disagree(absl::StrCat("the graph's ", kind),
                    absl::StrCat("\"", value.name, "\" ", value.type.ToString()),
                    absl::StrCat("\"", names[i], "\" ", expected.ToString(), " by the manifest"));
  }
  return absl::OkStatus();
}

// What is wrong in a file is damage to whoever reads it.
absl::Status AsDamage(const std::string& path, const absl::Status& status) {
  const auto code = absl::IsInvalidArgument(status) ? absl::StatusCode::kDataLoss : status.code();
  return absl::Status(code, absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<std::string> ExportModel(const Model& model) {
  OnnxExportOptions options;
  options.name = model.manifest.name();
  if (model.manifest.training().config().storage() == v1::STORAGE_FP16) {
    options.store_as_f16 = IsStoredAsF16;
  }
  const auto value = [&](const std::string& name) -> absl::StatusOr<TensorView> {
    const auto found = model.values.find(name);
    if (found == model.values.end()) {
      return absl::InvalidArgumentError(absl::StrCat("no values for \"", name, "\""));
    }
    return found->second.view();
  };
  return ExportOnnx(model.graph, value, options);
}

}  // namespace

absl::Status CheckModel(const Model& model) {
  const auto& manifest = model.manifest;
  const auto& pixels = manifest.preprocessing();
  const Dims input = {1, pixels.height(), pixels.width(), pixels.channels()};
  RETURN_IF_ERROR(CheckPorts("input", model.graph, model.graph.ValuesOf(Role::kInput), {"pixels"},
                             {DType::kU8, input}));
  const v1::Task task = manifest.task();
  const bool regression = task == v1::TASK_REGRESSION || task == v1::TASK_UNIT_REGRESSION;
  std::vector<std::string> outputs = {regression ? "values" : "probabilities"};
  if (manifest.open_set().has_energy()) outputs.emplace_back("logits");
  RETURN_IF_ERROR(CheckPorts("output", model.graph, model.graph.outputs(), outputs,
                             {DType::kF32, {1, OutputsOf(manifest)}}));
  if (manifest.thresholds_size() != 0 && manifest.thresholds_size() != OutputsOf(manifest)) {
    return Disagree("the number of thresholds", absl::StrCat(manifest.thresholds_size()),
                    absl::StrCat("none or one for each of ", OutputsOf(manifest), " labels"));
  }
  RETURN_IF_ERROR(CheckQuantization(model));
  if (task == v1::TASK_BINARY && manifest.labels_size() != 2) {
    return Disagree("the number of labels", absl::StrCat(manifest.labels_size()),
                    "2 in a binary task");
  }
  return absl::OkStatus();
}

absl::Status WriteManifest(FileSystem* files, const std::string& folder,
                           const v1::ModelManifest& manifest) {
  v1::ModelManifest stamped = manifest;
  stamped.set_format_version(kFormatVersion);
  return files->WriteAtomically(JoinPath(folder, kManifestFile), ToTextProto(stamped));
}

absl::Status WriteModel(FileSystem* files, const std::string& folder, const Model& model) {
  RETURN_IF_ERROR(CheckModel(model));
  ASSIGN_OR_RETURN(const std::string onnx, ExportModel(model));
  RETURN_IF_ERROR(files->MakeDirs(folder));
  RETURN_IF_ERROR(files->WriteAtomically(JoinPath(folder, kModelFile), onnx));
  RETURN_IF_ERROR(
      files->WriteAtomically(JoinPath(folder, kLabelsFile), LabelsText(model.manifest)));
  if (!model.golden.examples().empty()) {
    RETURN_IF_ERROR(
        files->WriteAtomically(JoinPath(folder, kGoldenFile), model.golden.SerializeAsString()));
  }
  if (!model.quantization.values().empty()) {
    RETURN_IF_ERROR(files->WriteAtomically(JoinPath(folder, kQuantizationFile),
                                           model.quantization.SerializeAsString()));
  }
  return WriteManifest(files, folder, model.manifest);
}

absl::Status CopyModel(FileSystem* files, const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(files->MakeDirs(to));
  for (const char* name :
       {kModelFile, kLabelsFile, kGoldenFile, kQuantizationFile, kManifestFile}) {
    const absl::StatusOr<std::string> bytes = files->Read(JoinPath(from, name));
    const bool optional = name == kGoldenFile || name == kQuantizationFile;
    if (optional && absl::IsNotFound(bytes.status())) continue;
    if (!bytes.ok()) return bytes.status();
    RETURN_IF_ERROR(files->WriteAtomically(JoinPath(to, name), *bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ModelManifest> ReadManifest(FileSystem* files, const std::string& folder) {
  const std::string path = JoinPath(folder, kManifestFile);
  ASSIGN_OR_RETURN(const std::string text, files->Read(path));
  v1::ModelManifest manifest;
  if (const absl::Status status = FromTextProto(text, manifest); !status.ok()) {
    return AsDamage(path, status);
  }
  if (manifest.format_version() == 0) {
    return absl::DataLossError(absl::StrCat(path, ": no format version"));
  }
  if (manifest.format_version() > kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": format version ",
                                                      manifest.format_version(),
                                                      ", this build reads up to ", kFormatVersion));
  }
  return manifest;
}

namespace {

// A message by itself in a file; empty where the model has none.
template <typename Message>
absl::StatusOr<Message> ReadOptional(FileSystem* files, const std::string& path) {
  const absl::StatusOr<std::string> bytes = files->Read(path);
  Message message;
  if (absl::IsNotFound(bytes.status())) return message;
  if (!bytes.ok()) return bytes.status();
  if (!message.ParseFromString(*bytes)) return absl::DataLossError(path + ": damaged");
  return message;
}

}  // namespace

absl::StatusOr<Model> ReadModel(FileSystem* files, const std::string& folder) {
  Model model;
  ASSIGN_OR_RETURN(model.manifest, ReadManifest(files, folder));
  const std::string path = JoinPath(folder, kModelFile);
  const auto bytes = files->Read(path);
  if (absl::IsNotFound(bytes.status())) {
    return absl::DataLossError(absl::StrCat(path, ": missing, though the manifest is there"));
  }
  if (!bytes.ok()) return bytes.status();
  auto imported = ImportOnnx(*bytes);
  if (!imported.ok()) return AsDamage(path, imported.status());
  model.graph = std::move(imported->graph);
  model.values = std::move(imported->values);
  ASSIGN_OR_RETURN(model.golden, ReadOptional<v1::Golden>(files, JoinPath(folder, kGoldenFile)));
  ASSIGN_OR_RETURN(model.quantization,
                   ReadOptional<v1::Quantization>(files, JoinPath(folder, kQuantizationFile)));
  if (const absl::Status status = CheckModel(model); !status.ok()) return AsDamage(path, status);
  return model;
}

}  // namespace fovea
