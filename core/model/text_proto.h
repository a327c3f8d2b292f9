// Messages as text files. Parse errors come back as a Status instead of going to stderr.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace fovea {

std::string ToTextProto(const google::protobuf::Message& message);

// DataLoss with line, column and the parser's words.
absl::Status FromTextProto(absl::string_view text, google::protobuf::Message& message);

}  // namespace fovea
