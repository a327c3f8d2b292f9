#include "server/services/model_errors.h"

#include <utility>

#include "absl/time/time.h"
#include "server/rpc/errors.h"

namespace fovea {

absl::Status AboutModel(absl::Status status) {
  if (absl::IsNotFound(status)) return WithReason(std::move(status), "MODEL_NOT_FOUND");
  if (absl::IsUnavailable(status)) return WithRetryDelay(std::move(status), absl::Seconds(10));
  if (absl::IsResourceExhausted(status)) return WithRetryDelay(std::move(status), absl::Seconds(1));
  return status;
}

absl::Status AboutQueue(absl::Status status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return WithRetryDelay(WithReason(std::move(status), "QUEUE_FULL"), absl::Milliseconds(100));
}

bool IsAboutPicture(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsOutOfRange(status) ||
         absl::IsUnimplemented(status);
}

}  // namespace fovea
