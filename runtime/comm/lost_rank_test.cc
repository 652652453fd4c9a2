#include "runtime/comm/lost_rank.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/status/status.h"

namespace shoal {
namespace {

TEST(LostRankTest, TheBlamedRankIsReadBack) {
  const absl::Status lost = LostRankError(3, "closed its socket");
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(lost.message().find("closed its socket"), std::string::npos);
  EXPECT_EQ(BlamedRank(lost), 3);
  const absl::Status lying = LyingRankError(0, "slot 9 of 4");
  EXPECT_EQ(lying.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(BlamedRank(lying), 0);
}

TEST(LostRankTest, OtherErrorsBlameNobody) {
  EXPECT_EQ(BlamedRank(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(BlamedRank(absl::UnavailableError("rank 3: closed its socket")), std::nullopt);
}

}  // namespace
}  // namespace shoal
