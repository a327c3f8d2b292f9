// What a failure to acquire a model, or to predict with it, tells the client.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fovea {

// NotFound gets the reason MODEL_NOT_FOUND; Unavailable and ResourceExhausted say when to try
// again.
absl::Status AboutModel(absl::Status status);

// A full queue gets the reason QUEUE_FULL and says when to try again, as does a deadline that could
// not be met at present. `retry_delay` zero: not known.
absl::Status AboutQueue(absl::Status status, absl::Duration retry_delay);

// Whether the status is about a picture's bytes, not about the server.
bool IsAboutPicture(const absl::Status& status);

}  // namespace fovea
