// The contract suites over real sockets; ranks are threads here.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/comm/contract.h"
#include "runtime/comm/tcp/mesh_fixture.h"

namespace shoal {
namespace {

const auto kCases = ContractCases(MakeMesh);
INSTANTIATE_TEST_SUITE_P(Tcp, CommunicatorContract, ::testing::ValuesIn(kCases), ContractName);
INSTANTIATE_TEST_SUITE_P(Tcp, AgreementContract, ::testing::ValuesIn(kCases), ContractName);

}  // namespace
}  // namespace shoal
