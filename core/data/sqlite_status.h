// What SQLite's result codes mean for a caller.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fovea {

// The Status of a failed SQLite call: `code` is its result code (extended or not), `message` its
// text, `doing` and `path` say what was tried on which file. ResourceExhausted: disk, quota or
// memory is full; DataLoss: the file is damaged or is no database; Unavailable: another connection
// holds it; FailedPrecondition: it is read-only.
absl::Status SqliteCodeToStatus(int code, absl::string_view message, absl::string_view doing,
                                absl::string_view path);

}  // namespace fovea
