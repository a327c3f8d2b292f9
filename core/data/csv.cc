#include "core/data/csv.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"

namespace fovea {

CsvReader::CsvReader(absl::string_view text) : text_(absl::StripPrefix(text, "\xef\xbb\xbf")) {}

absl::StatusOr<bool> CsvReader::Next(CsvRecord* record) {
  while (at_ < text_.size() && AtLineEnd()) SkipLineEnd();
  if (at_ >= text_.size()) return false;
  record->line = line_;
  record->fields.clear();
  while (true) {
    RETURN_IF_ERROR(ReadField(&record->fields.emplace_back()));
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      continue;
    }
    SkipLineEnd();
    return true;
  }
}

absl::Status CsvReader::ReadField(CsvField* field) {
  if (at_ < text_.size() && text_[at_] == '"') return ReadQuoted(field);
  const size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != ',' && !AtLineEnd()) ++at_;
  field->text = std::string(text_.substr(begin, at_ - begin));
  return absl::OkStatus();
}

absl::Status CsvReader::ReadQuoted(CsvField* field) {
  const int64_t first_line = line_;
  field->quoted = true;
  ++at_;
  while (true) {
    const size_t quote = text_.find('"', at_);
    if (quote == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", first_line, ": a quoted field does not end"));
    }
    const absl::string_view part = text_.substr(at_, quote - at_);
    line_ += std::count(part.begin(), part.end(), '\n');
    absl::StrAppend(&field->text, part);
    at_ = quote + 1;
    if (at_ >= text_.size() || text_[at_] != '"') break;
    field->text += '"';  // "" stands for one quote
    ++at_;
  }
  if (at_ < text_.size() && text_[at_] != ',' && !AtLineEnd()) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", line_, ": found '", text_.substr(at_, 1),
                     "' behind a quoted field, expected ',' or the ", "end of the line"));
  }
  return absl::OkStatus();
}

bool CsvReader::AtLineEnd() const {
  if (text_[at_] == '\n') return true;
  return text_[at_] == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n');
}

void CsvReader::SkipLineEnd() {
  if (at_ < text_.size() && text_[at_] == '\r') ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') ++at_;
  ++line_;
}

}  // namespace fovea
