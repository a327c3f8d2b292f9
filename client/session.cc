#include "client/session.h"

#include <random>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/grpc_status.h"
#include "client/json.h"

namespace fovea::cli {
namespace {

constexpr char kUsagePayload[] = "fovea/usage";

}  // namespace

absl::Status UsageError(absl::string_view message) {
  return UsageError(absl::InvalidArgumentError(message));
}

absl::Status UsageError(const absl::Status& status) {
  absl::Status marked = status;
  marked.SetPayload(kUsagePayload, absl::Cord());
  return marked;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  if (status.GetPayload(kUsagePayload).has_value()) return kExitUsage;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return kExitUnavailable;
    default:
      return kExitRefused;
  }
}

std::string DescribeError(const absl::Status& status) {
  std::string text(status.message());
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  for (const WrongField& violation : WrongFields(status)) {
    if (absl::StrContains(text, violation.description)) continue;
    absl::StrAppend(&text, "\n  ", violation.field, ": ", violation.description);
  }
  if (const std::optional<absl::Duration> delay = RetryDelay(status); delay.has_value()) {
    absl::StrAppend(&text, "\n  try again in ", absl::FormatDuration(*delay));
  }
  return text;
}

Session::Session(Io* io, std::string server, bool json)
    : io_(io), server_(std::move(server)), json_(json), client_(std::make_unique<Client>(server_)) {
  io_->interrupt->SetAction([this] { client_->Cancel(); });
}

Session::~Session() { io_->interrupt->SetAction(nullptr); }

void Session::Print(const google::protobuf::Message& message, absl::string_view text) {
  if (json_) {
    out() << ToJsonLine(message);
  } else {
    out() << text;
  }
  out().flush();
}

std::string NewRequestId() {
  std::random_device device;
  return absl::StrFormat("%08x%08x%08x%08x", device(), device(), device(), device());
}

}  // namespace fovea::cli
