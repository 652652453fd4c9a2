#include "runtime/comm/loopback/loopback.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "runtime/comm/contract.h"

namespace shoal {
namespace {

std::vector<ContractRank> Make(int size) {
  std::vector<ContractRank> ranks;
  for (LoopbackRank& r : LoopbackGroup(size))
    ranks.push_back({std::move(r.comm), std::move(r.agreement)});
  return ranks;
}

const auto kCases = ContractCases(Make, {1, 2, 4, 7, 16});
INSTANTIATE_TEST_SUITE_P(Loopback, CommunicatorContract, ::testing::ValuesIn(kCases), ContractName);
INSTANTIATE_TEST_SUITE_P(Loopback, AgreementContract, ::testing::ValuesIn(kCases), ContractName);

// A rank is there as long as one of its faces is.
TEST(Loopback, OneFaceKeepsTheRankAlive) {
  std::vector<LoopbackRank> group = LoopbackGroup(2);
  group[0].comm.reset();
  group[1].agreement->Wake();
  EXPECT_TRUE(group[1].agreement->Sleep().ok());
  group[0].agreement.reset();
  EXPECT_EQ(group[1].agreement->Sleep().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(group[1].comm->status(), group[1].agreement->status());
}

}  // namespace
}  // namespace shoal
