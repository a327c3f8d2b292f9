#include "server/rpc/call.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "server/rpc/errors.h"
#include "server/rpc/status_mapping.h"

namespace fovea {
namespace {

constexpr size_t kMaxIdBytes = 128;
constexpr char kIdKey[] = "x-request-id";

std::string FreshId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrFormat("%016x", random());
}

std::string IdOf(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find(kIdKey);
  if (found == context.client_metadata().end()) return FreshId();
  const std::string id(found->second.data(), found->second.size());
  const bool good =
      !id.empty() && id.size() <= kMaxIdBytes &&
      std::all_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  return good ? id : FreshId();
}

// The server's own fault, which its operator should see; the rest is the client's affair.
LogLevel LevelOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return LogLevel::kError;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return LogLevel::kWarning;
    default:
      return LogLevel::kDebug;
  }
}

// Lives from the call's arrival to OnDone; its body runs once on the pool.
class BlockingUnary : public grpc::ServerUnaryReactor {
 public:
  BlockingUnary(const Method& method, grpc::CallbackServerContext* context, UnaryBody body)
      : call_(method, context), body_(std::move(body)) {}

  void Run() {
    const absl::Status status = CheckNotCancelled(&cancel_);
    Finish(call_.End(status.ok() ? body_(cancel_) : status));
  }
  void Refuse(const absl::Status& status) { Finish(call_.End(status)); }

  void OnCancel() override { cancel_.Cancel(); }
  void OnDone() override { delete this; }

 private:
  const Call call_;
  CancelToken cancel_;
  UnaryBody body_;
};

}  // namespace

Call::Call(const Method& method, grpc::CallbackServerContext* context)
    : method_(&method), id_(IdOf(*context)), arrival_(absl::Now()) {
  const std::chrono::system_clock::time_point deadline = context->deadline();
  deadline_ = deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture()
                                                                       : absl::FromChrono(deadline);
  context->AddTrailingMetadata(kIdKey, id_);
}

grpc::Status Call::End(const absl::Status& status) const {
  const absl::Duration duration = absl::Now() - arrival_;
  method_->metrics().Record(static_cast<int>(status.code()), duration);
  if (!status.ok()) {
    Log(LevelOf(status.code()), "request failed",
        {{"method", method_->name()},
         {"request_id", id_},
         {"seconds", absl::ToDoubleSeconds(duration)},
         {"status", status}});
  }
  return ToGrpcStatus(status);
}

grpc::ServerUnaryReactor* AnswerFrom(ThreadPool& pool, const Method& method,
                                     grpc::CallbackServerContext* context, UnaryBody body) {
  auto* reactor = new BlockingUnary(method, context, std::move(body));  // deletes itself: OnDone
  if (!pool.TrySchedule([reactor] { reactor->Run(); })) {
    reactor->Refuse(WithRetryDelay(
        absl::ResourceExhaustedError("all of the server's worker threads are busy and their queue "
                                     "is full; try again later"),
        absl::Seconds(1)));
  }
  return reactor;
}

}  // namespace fovea
