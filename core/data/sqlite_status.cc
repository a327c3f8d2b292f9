#include "core/data/sqlite_status.h"

#include <sqlite3.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace fovea {

absl::Status SqliteCodeToStatus(int code, absl::string_view message, absl::string_view doing,
                                absl::string_view path) {
  const std::string text =
      absl::StrCat("cannot ", doing, " in \"", path, "\": ", message, " (SQLite code ", code, ")");
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::ResourceExhaustedError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return absl::DataLossError(text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(text);
    case SQLITE_READONLY:
      return absl::FailedPreconditionError(text);
    case SQLITE_CANTOPEN:
      return absl::UnavailableError(text);
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(text);
    case SQLITE_IOERR:
      // A file that ends early or whose pages fail their check is damage; the rest is the device.
      if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS) {
        return absl::DataLossError(text);
      }
      return absl::InternalError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace fovea
