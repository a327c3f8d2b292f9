#include "server/services/model_errors.h"

#include <algorithm>
#include <utility>

#include "server/rpc/errors.h"

namespace fovea {
namespace {

// A full queue empties in this time at the soonest, as far as clients are told.
constexpr absl::Duration kShortestRetry = absl::Milliseconds(100);

}  // namespace

absl::Status AboutModel(absl::Status status) {
  if (absl::IsNotFound(status)) return WithReason(std::move(status), "MODEL_NOT_FOUND");
  if (absl::IsUnavailable(status)) return WithRetryDelay(std::move(status), absl::Seconds(10));
  if (absl::IsResourceExhausted(status)) return WithRetryDelay(std::move(status), absl::Seconds(1));
  return status;
}

absl::Status AboutQueue(absl::Status status, absl::Duration retry_delay) {
  if (absl::IsResourceExhausted(status)) {
    return WithRetryDelay(WithReason(std::move(status), "QUEUE_FULL"),
                          std::max(retry_delay, kShortestRetry));
  }
  if (!absl::IsDeadlineExceeded(status) || retry_delay <= absl::ZeroDuration()) return status;
  return WithRetryDelay(std::move(status), retry_delay);
}

bool IsAboutPicture(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsOutOfRange(status) ||
         absl::IsUnimplemented(status);
}

}  // namespace fovea
