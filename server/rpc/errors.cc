#include "server/rpc/errors.h"

#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/message_lite.h"
#include "google/rpc/error_details.pb.h"
#include "server/rpc/payloads.h"

namespace fovea {
namespace {

void SetPayload(absl::Status& status, const google::protobuf::Message& detail) {
  status.SetPayload(PayloadUrl(detail), absl::Cord(detail.SerializeAsString()));
}

template <typename Detail>
Detail GetPayload(const absl::Status& status) {
  Detail detail;
  if (auto bytes = status.GetPayload(PayloadUrl(detail))) {
    detail.ParseFromString(std::string(*bytes));
  }
  return detail;
}

}  // namespace

std::string PayloadUrl(const google::protobuf::Message& detail) {
  return absl::StrCat("type.googleapis.com/", detail.GetDescriptor()->full_name());
}

absl::Status InvalidField(absl::string_view field, absl::string_view description) {
  return InvalidFields({{std::string(field), std::string(description)}});
}

absl::Status InvalidFields(absl::Span<const std::pair<std::string, std::string>> violations) {
  if (violations.empty()) return absl::OkStatus();
  google::rpc::BadRequest detail;
  std::vector<std::string> lines;
  for (const auto& [field, description] : violations) {
    lines.push_back(absl::StrCat(field, ": ", description));
    google::rpc::BadRequest::FieldViolation* violation = detail.add_field_violations();
    violation->set_field(field);
    violation->set_description(description);
  }
  absl::Status status = absl::InvalidArgumentError(absl::StrJoin(lines, "; "));
  SetPayload(status, detail);
  return status;
}

absl::Status AtField(absl::Status status, absl::string_view field) {
  if (status.ok()) return status;
  auto detail = GetPayload<google::rpc::BadRequest>(status);
  google::rpc::BadRequest::FieldViolation* violation = detail.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(status.message()));
  SetPayload(status, detail);
  return status;
}

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  if (status.ok()) return status;
  google::rpc::ErrorInfo detail;
  detail.set_reason(std::string(reason));
  detail.set_domain("fovea");
  SetPayload(status, detail);
  return status;
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  if (status.ok()) return status;
  google::rpc::RetryInfo detail;
  const int64_t nanos = absl::ToInt64Nanoseconds(delay);
  detail.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
  detail.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  SetPayload(status, detail);
  return status;
}

}  // namespace fovea
