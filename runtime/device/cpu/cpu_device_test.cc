#include "runtime/device/cpu/cpu_device.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/numerics.h"
#include "runtime/device/device.h"

namespace shoal {
namespace {

TEST(CpuDevice, BestIsTheFirstOfTheSupported) {
  const auto device = NewCpuDevice({});
  ASSERT_TRUE(device.ok());
  EXPECT_EQ((*device)->name(), "cpu/" + std::string(IsaName(SupportedIsas().front())));
  EXPECT_EQ(SupportedIsas().back(), Isa::kPortable);
}

TEST(CpuDevice, RefusesWhatTheMachineLacksByName) {
  for (Isa isa : {Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kPortable}) {
    const std::vector<Isa>& have = SupportedIsas();
    const auto device = NewCpuDevice({.isa = isa});
    if (std::find(have.begin(), have.end(), isa) != have.end()) {
      EXPECT_TRUE(device.ok()) << device.status();
    } else {
      EXPECT_EQ(device.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_NE(device.status().message().find(std::string(IsaName(isa))), std::string::npos);
    }
  }
}

TEST(CpuDevice, RefusesNoThreads) {
  EXPECT_EQ(NewCpuDevice({.threads = 0}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CpuDevice, MemoryIsZeroedAndTooMuchIsRefusedWithBothNumbers) {
  const auto device = NewCpuDevice({});
  ASSERT_TRUE(device.ok());
  const auto buffer = (*device)->Allocate(5 << 20);
  ASSERT_TRUE(buffer.ok());
  EXPECT_TRUE(std::all_of(buffer->data(), buffer->data() + buffer->bytes(),
                          [](std::byte b) { return b == std::byte{0}; }));
  const size_t absurd = size_t{1} << 46;
  const absl::Status refused = (*device)->Allocate(absurd).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find(std::to_string(absurd)), std::string::npos);
  EXPECT_NE(refused.message().find("free"), std::string::npos);
}

TEST(Numerics, TheIdIsStable) {
  // A change here is a change of results: count kNumericsVersion up, and say so in README.md.
  EXPECT_EQ(numerics_id(), "cpu-2-8166a439117ccaa0");
}

}  // namespace
}  // namespace shoal
