#include "services/common/error.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace shoal {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status rpc;
  EXPECT_TRUE(rpc.ParseFromString(status.error_details()));
  return rpc;
}

TEST(ErrorTest, InvalidFieldCarriesTheViolation) {
  const grpc::Status status = ToGrpc(InvalidField("sampling.top_p", "7 is outside (0, 1]"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "sampling.top_p: 7 is outside (0, 1]");
  bool found = false;
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad;
    if (!any.UnpackTo(&bad)) continue;
    found = true;
    EXPECT_EQ(bad.field_violations(0).field(), "sampling.top_p");
  }
  EXPECT_TRUE(found);
}

TEST(ErrorTest, EveryErrorGetsAnErrorInfo) {
  const grpc::Status status = ToGrpc(absl::NotFoundError("no such thing"));
  EXPECT_EQ(ReasonOf(FromGrpc(status)), "NOT_FOUND");
  EXPECT_EQ(DetailsOf(status).details_size(), 1);
}

TEST(ErrorTest, RetryDelaySurvivesTheWire) {
  const absl::Status there =
      RetryLater(absl::StatusCode::kUnavailable, "REFORMING", absl::Milliseconds(1500), "later");
  const absl::Status back = FromGrpc(ToGrpc(there));
  EXPECT_EQ(back, there);
  EXPECT_EQ(ReasonOf(back), "REFORMING");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(retry.ParseFromString(
      std::string(*back.GetPayload("type.googleapis.com/google.rpc.RetryInfo"))));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(ErrorTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_TRUE(WithReason(absl::OkStatus(), "X").ok());
}

TEST(ErrorTest, UnparsableDetailsAreDropped) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "m", "\xff\xff\xff not a proto"));
  EXPECT_EQ(status, absl::InternalError("m"));
}

}  // namespace
}  // namespace shoal
