// The files of a model, the same in a staged folder and in models/<name>/<version>/:
//   model.onnx           the unfolded inference graph with its weights (core/onnx)
//   labels.txt           one label a line; for people and other servers
//   golden.pb            pictures and what the model said of them; not where it has none
//   quantization.pb      the scales of INT8; only where the model is served in it
//   manifest.textproto   the ModelManifest; written last
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/model/model.h"

namespace fovea {

// Writes the files into `folder`, which is made when it is missing. Durable on return.
// InvalidArgument when the model contradicts itself (CheckModel).
absl::Status WriteModel(FileSystem* files, const std::string& folder, const Model& model);

// Reads a model whole. NotFound: no such folder or manifest. DataLoss: a file is missing, damaged
// or contradicts another. FailedPrecondition: a newer Fovea wrote it. Unimplemented: model.onnx
// holds an op that Fovea does not know.
absl::StatusOr<Model> ReadModel(FileSystem* files, const std::string& folder);

// The manifest alone: cheap. Errors as those of ReadModel.
absl::StatusOr<v1::ModelManifest> ReadManifest(FileSystem* files, const std::string& folder);
absl::Status WriteManifest(FileSystem* files, const std::string& folder,
                           const v1::ModelManifest& manifest);

// Copies a model's files from one folder into another, the manifest last: a folder that has one is
// whole. Durable on return. NotFound: no such model.
absl::Status CopyModel(FileSystem* files, const std::string& from, const std::string& to);

// OK when graph, values and manifest agree: input and preprocessing, output and labels, thresholds
// and labels. InvalidArgument gives both sides.
absl::Status CheckModel(const Model& model);

}  // namespace fovea
