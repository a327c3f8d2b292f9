// How the command line builds a TrainingConfig: a text file, then single fields.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace fovea::cli {

// Reads a message in protobuf's text format; InvalidArgument with line and column.
absl::Status ParseTextConfig(absl::string_view text, google::protobuf::Message* message);

// The same from a file, which the error names. NotFound when it is absent.
absl::Status ReadTextConfig(const std::string& path, google::protobuf::Message* message);

// Sets one field: "epochs=30", "sgd.nesterov=true", "mlp.hidden=256,128" (a list replaces the one
// before), "class_weights.by_label.cat=2" (a map's key is the rest of the path), "adam=" (an empty
// message). Choosing another member of a oneof drops the one before. InvalidArgument names the path
// and what was expected.
absl::Status ApplyOverride(absl::string_view assignment, google::protobuf::Message* message);

}  // namespace fovea::cli
