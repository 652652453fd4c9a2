#include "tools/cuda_smoke/cuda_smoke.h"

#include <cublasLt.h>
#include <gtest/gtest.h>
#include <nccl.h>

#include <vector>

#include "absl/status/status.h"

namespace shoal {
namespace {

// Links against both libraries and calls them, which needs no GPU.
TEST(CudaSmoke, LibrariesAreNewEnough) {
  int nccl = 0;
  ASSERT_EQ(ncclGetVersion(&nccl), ncclSuccess);
  EXPECT_GE(nccl, NCCL_VERSION(2, 28, 0)) << "ncclCommShrink and ncclCommRevoke";
  EXPECT_GE(cublasLtGetVersion(), 120900u) << "128x128 block scales for FP8";
}

TEST(CudaSmoke, KernelRuns) {
  if (const absl::Status gpu = UsableGpu(); !gpu.ok()) GTEST_SKIP() << gpu.message();
  std::vector<float> values(301);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.25f;
  ASSERT_TRUE(RoundAndAddOneOnGpu(absl::MakeSpan(values)).ok());
  EXPECT_EQ(values[1], 2.25f);     // 1.25 is a bf16
  EXPECT_EQ(values[300], 301.0f);  // 300.25 rounds to 300, whose neighbours are 2 apart
}

}  // namespace
}  // namespace shoal
