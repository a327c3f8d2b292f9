// The one place where absl::Status becomes a gRPC status.
//
// The codes have the same numbers. Payloads that are protobuf messages (server/rpc/errors.h) become
// the details of a google.rpc.Status; Unavailable and ResourceExhausted without a RetryInfo get
// none, since a full disk does not pass by waiting.
#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}

namespace fovea {

grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace fovea
