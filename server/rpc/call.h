// Call: one RPC from its arrival to its end: who asks, until when, and what became of it.
//
// Made on the gRPC thread at arrival; ended once, on any thread, by End(), which records the
// method's metrics and logs failures. Every call has an id: the client's "x-request-id" or a fresh
// one; it is returned in the trailing metadata and stands in the log.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/cancel.h"
#include "core/base/thread_pool.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"
#include "server/telemetry/metrics.h"

namespace fovea {

// What all calls of one method share; lives as long as its service.
class Method {
 public:
  // `name` is the full name, "fovea.v1.Jobs/Get".
  Method(Metrics& metrics, std::string name)
      : name_(std::move(name)), metrics_(metrics.ForMethod(name_)) {}
  const std::string& name() const { return name_; }
  MethodMetrics& metrics() const { return *metrics_; }

 private:
  const std::string name_;
  const std::unique_ptr<MethodMetrics> metrics_;
};

class Call {
 public:
  Call(const Method& method, grpc::CallbackServerContext* context);

  const std::string& id() const { return id_; }
  absl::Time arrival() const { return arrival_; }
  // InfiniteFuture when the client set none.
  absl::Time deadline() const { return deadline_; }

  // The status to finish the RPC with. Once.
  grpc::Status End(const absl::Status& status) const;

 private:
  const Method* method_;
  std::string id_;
  absl::Time arrival_;
  absl::Time deadline_;
};

// Answers a unary RPC from a thread of `pool`, where `body` may block. The token it gets is
// cancelled when the client goes away or its deadline passes. ResourceExhausted when the pool's
// queue is full.
using UnaryBody = absl::AnyInvocable<absl::Status(const CancelToken& cancel)>;
grpc::ServerUnaryReactor* AnswerFrom(ThreadPool& pool, const Method& method,
                                     grpc::CallbackServerContext* context, UnaryBody body);

}  // namespace fovea
