#include "client/csv.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

// Reads one field after another from the front of the text.
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text) : rest_(text) {
    absl::ConsumePrefix(&rest_, "\xEF\xBB\xBF");
  }

  bool AtEnd() const { return rest_.empty(); }
  int line() const { return line_; }

  // Skips one line break, if one is next.
  bool ConsumeLineBreak() {
    if (!absl::ConsumePrefix(&rest_, "\r\n") && !absl::ConsumePrefix(&rest_, "\n")) return false;
    ++line_;
    return true;
  }

  bool ConsumeComma() { return absl::ConsumePrefix(&rest_, ","); }

  absl::StatusOr<std::string> Field() {
    return absl::StartsWith(rest_, "\"") ? QuotedField() : PlainField();
  }

 private:
  absl::StatusOr<std::string> PlainField() {
    const absl::string_view field = rest_.substr(0, rest_.find_first_of(",\n"));
    rest_.remove_prefix(field.size());
    if (absl::StrContains(field, '"')) {
      return Error("a quote inside a field that does not start with one");
    }
    const bool before_line_end = rest_.empty() || rest_.front() == '\n';
    return std::string(before_line_end ? absl::StripSuffix(field, "\r") : field);
  }

  absl::StatusOr<std::string> QuotedField() {
    const int first_line = line_;
    rest_.remove_prefix(1);
    std::string field;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"' && !absl::ConsumePrefix(&rest_, "\"")) return field;
      if (c == '\n') ++line_;
      field.push_back(c);
    }
    line_ = first_line;
    return Error("a quote that is not closed");
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", what));
  }

  absl::string_view rest_;
  int line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view text) {
  CsvReader reader(text);
  std::vector<CsvRecord> records;
  while (!reader.AtEnd()) {
    if (reader.ConsumeLineBreak()) continue;
    CsvRecord record{.line = reader.line(), .fields = {}};
    do {
      ASSIGN_OR_RETURN(std::string field, reader.Field());
      record.fields.push_back(std::move(field));
    } while (reader.ConsumeComma());
    const int end_line = reader.line();
    if (!reader.AtEnd() && !reader.ConsumeLineBreak()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", end_line, ": text after a closing quote"));
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace fovea::cli
