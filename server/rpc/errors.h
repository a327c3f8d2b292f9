// Details that errors carry to the client: google.rpc BadRequest, RetryInfo and ErrorInfo, kept as
// payloads of an absl::Status until status_mapping.h sends them.
//
// Every function answers its status with one detail more; an OK status is returned unchanged.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace fovea {

// InvalidArgument "<field>: <description>" with a field violation. `field` is a path such as
// "images[3].encoded"; `description` says what was found and what was expected.
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// InvalidArgument that lists every violation, (field, description) each; OK when there is none.
absl::Status InvalidFields(absl::Span<const std::pair<std::string, std::string>> violations);

// Says that `status` is about this field of the request.
absl::Status AtField(absl::Status status, absl::string_view field);

// A stable reason for machines, e.g. "QUEUE_FULL".
absl::Status WithReason(absl::Status status, absl::string_view reason);

// When trying again makes sense.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

}  // namespace fovea
