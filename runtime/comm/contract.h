#ifndef SHOAL_RUNTIME_COMM_CONTRACT_H_
#define SHOAL_RUNTIME_COMM_CONTRACT_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"

namespace shoal {

// What every transport must do, as tests.  A backend instantiates both suites in its own test:
//
//   INSTANTIATE_TEST_SUITE_P(Loopback, CommunicatorContract,
//   testing::ValuesIn(ContractCases(make)), ContractName);

// One rank of the group under test.
struct ContractRank {
  std::unique_ptr<Communicator> comm;
  std::unique_ptr<Agreement> agreement;
};
// result[r] is rank r of a new group of `size`.
using MakeGroup = std::function<std::vector<ContractRank>(int size)>;

struct ContractCase {
  MakeGroup make;
  int ranks = 0;
  friend std::ostream& operator<<(std::ostream& os, const ContractCase& c) {
    return os << c.ranks << " ranks";
  }
};
std::vector<ContractCase> ContractCases(MakeGroup make, std::vector<int> ranks = {1, 2, 4, 7});
std::string ContractName(const ::testing::TestParamInfo<ContractCase>& info);

class TransportContract : public ::testing::TestWithParam<ContractCase> {
 protected:
  int ranks() const { return GetParam().ranks; }
  std::vector<ContractRank> Make() const { return GetParam().make(ranks()); }
};
class CommunicatorContract : public TransportContract {};
class AgreementContract : public TransportContract {};

// Runs `body` once for each rank, each in a thread of its own, as engine threads do.  Nobody leaves
// the group before all are done, unless a body destroys its faces.
using RankBody = std::function<void(ContractRank&, int rank)>;
void RunRanks(std::vector<ContractRank>& group, const RankBody& body);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_CONTRACT_H_
