#include "client/json.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace fovea::cli {
namespace {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  return json;
}

std::string Quoted(absl::string_view text) {
  google::protobuf::Value value;
  value.set_string_value(std::string(text));
  return ToJson(value);
}

}  // namespace

std::string ToJsonLine(const google::protobuf::Message& message) {
  return absl::StrCat(ToJson(message), "\n");
}

std::string ToJsonLine(absl::string_view key, absl::string_view value,
                       const google::protobuf::Message& message) {
  const std::string object = ToJson(message);  // "{…}"
  const absl::string_view rest = absl::string_view(object).substr(1);
  return absl::StrCat("{", Quoted(key), ":", Quoted(value), rest == "}" ? "" : ",", rest, "\n");
}

}  // namespace fovea::cli
