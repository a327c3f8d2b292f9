// Reads comma-separated values (RFC 4180) record by record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fovea {

struct CsvField {
  std::string text;
  bool quoted = false;
};

struct CsvRecord {
  int64_t line = 0;  // where it begins, from 1
  std::vector<CsvField> fields;
};

// Accepts LF and CRLF, a byte order mark, and line breaks inside quotes; skips empty lines. A quote
// in the middle of an unquoted field is an ordinary character. The text outlives the reader.
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text);

  // Fills `record` and answers true, or false at the end. InvalidArgument with the line's number
  // for a quote that never ends or is followed by more text.
  absl::StatusOr<bool> Next(CsvRecord* record);

 private:
  absl::Status ReadField(CsvField* field);
  absl::Status ReadQuoted(CsvField* field);
  bool AtLineEnd() const;
  void SkipLineEnd();

  absl::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace fovea
