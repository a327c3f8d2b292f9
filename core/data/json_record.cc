// Parsed by protobuf, which the project has anyway: its JSON reader limits the depth of nesting.
#include "core/data/json_record.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace fovea {
namespace {

using google::protobuf::Value;

absl::Status Expected(absl::string_view member, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("\"", member, "\" is not ", what));
}

absl::StatusOr<std::string> LabelOf(absl::string_view member, const Value& value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (value.kind_case() == Value::kStringValue) return value.string_value();
  if (value.kind_case() == Value::kBoolValue) {
    return std::string(value.bool_value() ? "true" : "false");
  }
  const double number = value.number_value();
  if (value.kind_case() == Value::kNumberValue && std::floor(number) == number &&
      std::abs(number) <= kExact) {
    return absl::StrCat(static_cast<int64_t>(number));
  }
  return Expected(member, "a string, a whole number or a boolean");
}

absl::StatusOr<std::vector<std::string>> LabelsOf(const Value& value) {
  if (value.kind_case() != Value::kListValue) return Expected("labels", "a list");
  std::vector<std::string> labels;
  for (const Value& each : value.list_value().values()) {
    ASSIGN_OR_RETURN(std::string label, LabelOf("labels", each));
    labels.push_back(std::move(label));
  }
  return labels;
}

absl::StatusOr<Split> SplitOf(const Value& value) {
  for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    if (value.string_value() == SplitName(split)) return split;
  }
  return Expected("split", "\"train\", \"validation\" or \"test\"");
}

}  // namespace

absl::StatusOr<JsonRecord> ParseJsonRecord(absl::string_view text) {
  google::protobuf::Struct object;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), &object);
  if (!parsed.ok()) {
    const std::string reason(parsed.message().data(), parsed.message().size());
    return absl::InvalidArgumentError(
        absl::StrCat("not a JSON object: ", reason.substr(0, reason.find('\n')).substr(0, 200)));
  }
  const auto& members = object.fields();
  JsonRecord record;
  if (const auto file = members.find("file"); file != members.end()) {
    if (file->second.kind_case() != Value::kStringValue) return Expected("file", "a string");
    record.file = file->second.string_value();
  }
  const auto label = members.find("label"), labels = members.find("labels");
  if (label != members.end() && labels != members.end()) {
    return absl::InvalidArgumentError("found both \"label\" and \"labels\", expected one of them");
  }
  if (label != members.end()) {
    ASSIGN_OR_RETURN(std::string name, LabelOf("label", label->second));
    record.labels = std::vector<std::string>{std::move(name)};
  }
  if (labels != members.end()) {
    ASSIGN_OR_RETURN(record.labels, LabelsOf(labels->second));
  }
  if (const auto split = members.find("split"); split != members.end()) {
    ASSIGN_OR_RETURN(record.split, SplitOf(split->second));
  }
  return record;
}

}  // namespace fovea
