#include "client/grpc_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace fovea {
namespace {

// The status's detail of this type; absent when there is none or its bytes make no sense.
template <typename Detail>
std::optional<Detail> GetDetail(const absl::Status& status) {
  const std::string type_url =
      absl::StrCat("type.googleapis.com/", Detail::descriptor()->full_name());
  const absl::optional<absl::Cord> payload = status.GetPayload(type_url);
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& detail : details.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

std::vector<WrongField> WrongFields(const absl::Status& status) {
  std::vector<WrongField> violations;
  const auto detail = GetDetail<google::rpc::BadRequest>(status);
  if (!detail.has_value()) return violations;
  for (const google::rpc::BadRequest::FieldViolation& violation : detail->field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

std::string ErrorReason(const absl::Status& status) {
  const auto detail = GetDetail<google::rpc::ErrorInfo>(status);
  return detail.has_value() ? detail->reason() : std::string();
}

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  const auto detail = GetDetail<google::rpc::RetryInfo>(status);
  if (!detail.has_value()) return std::nullopt;
  return absl::Seconds(detail->retry_delay().seconds()) +
         absl::Nanoseconds(detail->retry_delay().nanos());
}

}  // namespace fovea
