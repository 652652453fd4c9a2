#ifndef SHOAL_RUNTIME_DEVICE_CONTRACT_OPS_CONTRACT_H_
#define SHOAL_RUNTIME_DEVICE_CONTRACT_OPS_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "runtime/device/device.h"

namespace shoal {

// A backend under test.
struct DeviceUnderTest {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<Device>()> make;
};
inline void PrintTo(const DeviceUnderTest& d, std::ostream* os) { *os << d.name; }

// Every operation of ops.h against the reference device, on odd shapes, strided views, no rows, and
// outputs that begin as NaN. A backend instantiates it in its own test:
//
//   INSTANTIATE_TEST_SUITE_P(Cpu, OpsContract, testing::Values(DeviceUnderTest{"amx", MakeAmx}),
//   DeviceName);
//
// Inputs are rounded to the backend's activation dtype first, so both sides start from the same
// values; tolerances are relative L2 norms: 1e-5 for float32 results, 4e-3 for those that were
// rounded to bf16 (half a unit in the last place is 2^-9 = 2e-3).
class OpsContract : public testing::TestWithParam<DeviceUnderTest> {};

inline std::string DeviceName(const testing::TestParamInfo<DeviceUnderTest>& info) {
  return info.param.name;
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CONTRACT_OPS_CONTRACT_H_
