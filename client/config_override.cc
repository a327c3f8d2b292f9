#include "client/config_override.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace fovea::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Keeps the first error of a parse.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ =
        line < 0 ? message : absl::StrCat("line ", line + 1, " column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status Merge(const std::string& text, Message* message) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.MergeFromString(text, message)) return absl::OkStatus();
  return absl::InvalidArgumentError(error.text());
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

// A value in text format; only strings need quotes.
std::string ValueText(const FieldDescriptor& field, absl::string_view value) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? Quoted(value) : std::string(value);
}

std::string FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// A list takes the place of the one before, so that is cleared.
absl::Status SetRepeated(const FieldDescriptor& field, absl::string_view value, Message* message) {
  message->GetReflection()->ClearField(message, &field);
  std::vector<std::string> values;
  for (absl::string_view one : absl::StrSplit(value, ',', absl::SkipEmpty())) {
    values.push_back(ValueText(field, one));
  }
  return Merge(absl::StrCat(field.name(), ": [", absl::StrJoin(values, ", "), "]"), message);
}

absl::Status SetMapEntry(const FieldDescriptor& field, absl::string_view key,
                         absl::string_view value, Message* message) {
  const Descriptor& entry = *field.message_type();
  return Merge(absl::StrCat(field.name(), " { key: ", ValueText(*entry.map_key(), key),
                            " value: ", ValueText(*entry.map_value(), value), " }"),
               message);
}

// Sets the field at `path`, descending one message at each dot.
absl::Status Set(absl::string_view path, absl::string_view value, Message* message) {
  const std::vector<std::string> parts = absl::StrSplit(path, absl::MaxSplits('.', 1));
  const Descriptor& type = *message->GetDescriptor();
  const FieldDescriptor* field = type.FindFieldByName(parts[0]);
  if (field == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no field \"", parts[0], "\" here; expected one of ", FieldNames(type)));
  }
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (parts.size() == 2 && !is_message) {
    return absl::InvalidArgumentError(absl::StrCat("\"", parts[0], "\" has no fields"));
  }
  if (field->is_map()) {
    if (parts.size() == 1) {
      return absl::InvalidArgumentError(absl::StrCat("expected ", parts[0], ".KEY=VALUE"));
    }
    return SetMapEntry(*field, parts[1], value, message);
  }
  if (field->is_repeated()) return SetRepeated(*field, value, message);
  if (parts.size() == 2) {
    return Set(parts[1], value, message->GetReflection()->MutableMessage(message, field));
  }
  if (!is_message) {
    return Merge(absl::StrCat(field->name(), ": ", ValueText(*field, value)), message);
  }
  if (!value.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", parts[0], ".FIELD=VALUE, one of ",
                                                   FieldNames(*field->message_type())));
  }
  message->GetReflection()->MutableMessage(message, field);
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseTextConfig(absl::string_view text, Message* message) {
  message->Clear();
  return Merge(std::string(text), message);
}

absl::Status ReadTextConfig(const std::string& path, Message* message) {
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(path));
  const absl::Status parsed = ParseTextConfig(text, message);
  if (parsed.ok()) return parsed;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", parsed.message()));
}

absl::Status ApplyOverride(absl::string_view assignment, Message* message) {
  const std::vector<std::string> sides = absl::StrSplit(assignment, absl::MaxSplits('=', 1));
  if (sides.size() != 2 || sides[0].empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", assignment, "\": expected path=value"));
  }
  const absl::Status status = Set(sides[0], sides[1], message);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("\"", assignment, "\": ", status.message()));
}

}  // namespace fovea::cli
