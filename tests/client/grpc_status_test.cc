#include "client/grpc_status.h"

#include "client/session.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

grpc::Status WithDetail(grpc::StatusCode code, const std::string& message,
                        const google::protobuf::Message& detail) {
  google::rpc::Status status;
  status.add_details()->PackFrom(detail);
  return grpc::Status(code, message, status.SerializeAsString());
}

TEST(FromGrpcStatus, KeepsCodeMessageAndFieldViolations) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("config.epochs");
  bad.mutable_field_violations(0)->set_description("found 0, expected 1 to 100000");
  const absl::Status status =
      FromGrpcStatus(WithDetail(grpc::INVALID_ARGUMENT, "invalid configuration", bad));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(DescribeError(status),
            "invalid configuration\n  config.epochs: found 0, expected 1 to 100000");
}

TEST(FromGrpcStatus, ReadsRetryDelayAndReason) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(250'000'000);
  EXPECT_EQ(RetryDelay(FromGrpcStatus(WithDetail(grpc::RESOURCE_EXHAUSTED, "full", retry))),
            absl::Milliseconds(250));
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  EXPECT_EQ(ErrorReason(FromGrpcStatus(WithDetail(grpc::RESOURCE_EXHAUSTED, "full", info))),
            "QUEUE_FULL");
}

TEST(FromGrpcStatus, IgnoresDetailsThatMakeNoSense) {
  const absl::Status status = FromGrpcStatus(grpc::Status(grpc::NOT_FOUND, "no", "\xff\xff\xff"));
  EXPECT_EQ(status, absl::NotFoundError("no"));
  EXPECT_TRUE(WrongFields(status).empty());
  EXPECT_FALSE(RetryDelay(status).has_value());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(ExitCodeOf, SaysWhoCanAct) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(UsageError("x")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), 3);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("x")), 3);
}

}  // namespace
}  // namespace fovea::cli
