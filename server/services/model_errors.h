// What a failure to acquire a model, or to predict with it, tells the client.
#pragma once

#include "absl/status/status.h"

namespace fovea {

// NotFound gets the reason MODEL_NOT_FOUND; Unavailable and ResourceExhausted say when to try
// again.
absl::Status AboutModel(absl::Status status);

// A full queue gets the reason QUEUE_FULL and says when to try again.
absl::Status AboutQueue(absl::Status status);

// Whether the status is about a picture's bytes, not about the server.
bool IsAboutPicture(const absl::Status& status);

}  // namespace fovea
