#include "server/rpc/status_mapping.h"

#include <string>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status all;
  EXPECT_TRUE(all.ParseFromString(status.error_details()));
  for (const google::protobuf::Any& any : all.details()) {
    if (Detail detail; any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->full_name() << " in " << all.DebugString();
  return {};
}

TEST(StatusMapping, EveryCodeKeepsItsNumberAndMessage) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status mapped =
        ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "found 1, expected 2"));
    EXPECT_EQ(static_cast<int>(mapped.error_code()), code);
    EXPECT_EQ(mapped.error_message(), "found 1, expected 2");
    EXPECT_EQ(mapped.error_details(), "");
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(StatusMapping, AFieldViolationTravelsAsBadRequest) {
  const grpc::Status mapped =
      ToGrpcStatus(InvalidField("images[3].encoded", "found 0 bytes, expected a picture"));
  EXPECT_EQ(mapped.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(mapped.error_message(), "images[3].encoded: found 0 bytes, expected a picture");
  const auto detail = DetailOf<google::rpc::BadRequest>(mapped);
  ASSERT_EQ(detail.field_violations_size(), 1);
  EXPECT_EQ(detail.field_violations(0).field(), "images[3].encoded");
  EXPECT_EQ(detail.field_violations(0).description(), "found 0 bytes, expected a picture");
}

TEST(StatusMapping, ManyViolationsStandInOneMessage) {
  const absl::Status status = InvalidFields({{"a", "found 1"}, {"b.c", "found 2"}});
  EXPECT_EQ(status.message(), "a: found 1; b.c: found 2");
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(ToGrpcStatus(status)).field_violations_size(), 2);
  EXPECT_TRUE(InvalidFields({}).ok());
}

TEST(StatusMapping, ReasonAndRetryDelayStandTogether) {
  const grpc::Status mapped = ToGrpcStatus(WithRetryDelay(
      WithReason(absl::ResourceExhaustedError("full"), "QUEUE_FULL"), absl::Milliseconds(1500)));
  const auto info = DetailOf<google::rpc::ErrorInfo>(mapped);
  EXPECT_EQ(info.reason(), "QUEUE_FULL");
  EXPECT_EQ(info.domain(), "fovea");
  const auto retry = DetailOf<google::rpc::RetryInfo>(mapped);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(StatusMapping, AFieldCanBeNamedLater) {
  const absl::Status status = AtField(absl::NotFoundError("there is no data set"), "dataset");
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(ToGrpcStatus(status)).field_violations(0).field(),
            "dataset");
}

TEST(StatusMapping, AnOkStatusTakesNoDetail) {
  EXPECT_EQ(WithReason(absl::OkStatus(), "X"), absl::OkStatus());
  EXPECT_EQ(AtField(absl::OkStatus(), "x"), absl::OkStatus());
}

}  // namespace
}  // namespace fovea
