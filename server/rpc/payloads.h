// The key under which an absl::Status carries a protobuf message: its google.protobuf.Any URL.
// Private to server/rpc.
#pragma once

#include <string>

namespace google::protobuf {
class Message;
}

namespace fovea {

std::string PayloadUrl(const google::protobuf::Message& detail);

}  // namespace fovea
