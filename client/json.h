// Protobuf JSON, one object a line, for programs that read the command's output.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace fovea::cli {

// The message in protobuf's JSON mapping with the field names of the protos; zeros are written, so
// that "hamming_loss": 0 is there to be read. Ends with a line break.
std::string ToJsonLine(const google::protobuf::Message& message);

// As ToJsonLine, with one more member in front: {"file":"a.png", …}.
std::string ToJsonLine(absl::string_view key, absl::string_view value,
                       const google::protobuf::Message& message);

}  // namespace fovea::cli
