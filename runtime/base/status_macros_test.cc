#include "runtime/base/status_macros.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace shoal {
namespace {

absl::Status Fail() { return absl::NotFoundError("no shard 3"); }

TEST(StatusMacros, ReturnIfErrorReturnsTheError) {
  bool went_on = false;
  auto run = [&](absl::Status status) -> absl::Status {
    RETURN_IF_ERROR(status);
    went_on = true;
    return absl::OkStatus();
  };
  EXPECT_EQ(run(Fail()), Fail());
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(run(absl::OkStatus()).ok());
  EXPECT_TRUE(went_on);
}

TEST(StatusMacros, ReturnIfErrorIsOneStatement) {
  auto run = [](bool fail) -> absl::Status {
    if (fail)
      RETURN_IF_ERROR(Fail());
    else
      return absl::AbortedError("else belongs to this if");
    return absl::OkStatus();
  };
  EXPECT_EQ(run(true), Fail());
  EXPECT_TRUE(absl::IsAborted(run(false)));
}

TEST(StatusMacros, AssignOrReturnMovesTheValue) {
  auto make = [](int n) -> absl::StatusOr<std::unique_ptr<int>> {
    if (n < 0) return absl::InvalidArgumentError("n is negative");
    return std::make_unique<int>(n);
  };
  auto sum = [&](int a, int b) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const std::unique_ptr<int> x, make(a));
    std::unique_ptr<int> y;
    ASSIGN_OR_RETURN(y, make(b));
    return *x + *y;
  };
  EXPECT_EQ(*sum(3, 4), 7);
  EXPECT_TRUE(absl::IsInvalidArgument(sum(3, -1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(sum(-1, 3).status()));
}

TEST(StatusMacros, AssignOrReturnTakesParenthesesForACommaOnTheLeft) {
  auto make = []() -> absl::StatusOr<std::map<int, int>> { return std::map<int, int>{{1, 2}}; };
  auto size = [&]() -> absl::StatusOr<size_t> {
    ASSIGN_OR_RETURN((const std::map<int, int> m), make());
    return m.size();
  };
  EXPECT_EQ(*size(), 1u);
}

TEST(StatusMacros, AnnotateKeepsCodeAndPayload) {
  absl::Status status = Fail();
  status.SetPayload("type/x", absl::Cord("detail"));
  const absl::Status annotated = Annotate(status, "loading weights");
  EXPECT_TRUE(absl::IsNotFound(annotated));
  EXPECT_EQ(annotated.message(), "loading weights: no shard 3");
  EXPECT_EQ(annotated.GetPayload("type/x"), absl::Cord("detail"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "anything").ok());
}

}  // namespace
}  // namespace shoal
