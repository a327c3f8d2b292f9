// Records of a CSV file as of RFC 4180: quoted fields may hold commas, quotes and line breaks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fovea::cli {

struct CsvRecord {
  int line = 0;  // where it starts, from 1
  std::vector<std::string> fields;
};

// Empty lines are skipped; lines end with \n or \r\n; a UTF-8 byte order mark is dropped.
// InvalidArgument, naming the line, for an unclosed or misplaced quote.
absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view text);

}  // namespace fovea::cli
