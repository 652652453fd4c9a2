#include "runtime/device/contract/ops_contract.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"

namespace shoal {
namespace {

std::vector<DeviceUnderTest> Devices() {
  std::vector<DeviceUnderTest> devices;
  for (Isa isa : SupportedIsas()) {
    devices.push_back({std::string(IsaName(isa)), [isa] {
                         auto device = NewCpuDevice({.isa = isa, .threads = 2});
                         CHECK_OK(device);
                         return *std::move(device);
                       }});
  }
  return devices;
}

INSTANTIATE_TEST_SUITE_P(Cpu, OpsContract, testing::ValuesIn(Devices()), DeviceName);

}  // namespace
}  // namespace shoal
