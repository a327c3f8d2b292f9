#include "server/rpc/status_mapping.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace fovea {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const int code = static_cast<int>(status.code());
  google::rpc::Status details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& bytes) {
    if (!absl::StartsWith(url, "type.googleapis.com/")) return;
    google::protobuf::Any* detail = details.add_details();
    detail->set_type_url(std::string(url));
    detail->set_value(std::string(bytes));
  });
  std::string message(status.message());
  if (details.details().empty()) return {static_cast<grpc::StatusCode>(code), message};
  details.set_code(code);
  details.set_message(message);
  return {static_cast<grpc::StatusCode>(code), message, details.SerializeAsString()};
}

}  // namespace fovea
