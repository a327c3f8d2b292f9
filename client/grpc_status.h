// From gRPC's status to ours, and what its google.rpc details say.
//
// The details travel as payloads of the absl::Status, keyed by type URL
// ("type.googleapis.com/google.rpc.BadRequest"), so that a caller that does not care sees a plain
// status.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace fovea {

// Same code and message; one payload per detail. Details that cannot be parsed are left out.
absl::Status FromGrpcStatus(const grpc::Status& status);

// One entry of google.rpc.BadRequest.
struct WrongField {
  std::string field;  // path, e.g. "config.optimizer.adam.beta1"
  std::string description;
};

// Empty when the status carries no BadRequest.
std::vector<WrongField> WrongFields(const absl::Status& status);

// The reason of google.rpc.ErrorInfo, e.g. "QUEUE_FULL"; empty without one.
std::string ErrorReason(const absl::Status& status);

// When to try again, from google.rpc.RetryInfo; absent without one.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

}  // namespace fovea
