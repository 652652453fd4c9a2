#include "runtime/comm/lost_rank.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr absl::string_view kRankPayload = "shoal/blamed-rank";

absl::Status Blame(absl::StatusCode code, int rank, absl::string_view why) {
  absl::Status status(code, absl::StrCat("rank ", rank, ": ", why));
  status.SetPayload(kRankPayload, absl::Cord(absl::StrCat(rank)));
  return status;
}

}  // namespace

absl::Status LostRankError(int rank, absl::string_view why) {
  return Blame(absl::StatusCode::kUnavailable, rank, why);
}

absl::Status LyingRankError(int rank, absl::string_view why) {
  return Blame(absl::StatusCode::kDataLoss, rank, why);
}

std::optional<int> BlamedRank(const absl::Status& status) {
  const auto payload = status.GetPayload(kRankPayload);
  int rank = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &rank)) return std::nullopt;
  return rank;
}

}  // namespace shoal
