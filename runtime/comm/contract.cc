#include "runtime/comm/contract.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CommunicatorContract);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgreementContract);

std::vector<ContractCase> ContractCases(MakeGroup make, std::vector<int> ranks) {
  std::vector<ContractCase> cases;
  for (const int n : ranks) cases.push_back({make, n});
  return cases;
}

std::string ContractName(const ::testing::TestParamInfo<ContractCase>& info) {
  return absl::StrCat(info.param.ranks, "Ranks");
}

void RunRanks(std::vector<ContractRank>& group, const RankBody& body) {
  std::vector<std::thread> threads;
  for (int r = 0; r < static_cast<int>(group.size()); ++r) {
    threads.emplace_back([&, r] { body(group[r], r); });
  }
  for (std::thread& t : threads) t.join();
}

}  // namespace shoal
