#include "runtime/kv/kv_cache.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

// Memory of a set size and nothing else.
class SmallDevice final : public Device, public Arena::Source {
 public:
  std::string name() const override { return "small"; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override {
    if (bytes > memory_.size()) {
      return absl::ResourceExhaustedError(
          absl::StrCat(bytes, " bytes asked for, ", memory_.size(), " free"));
    }
    return Buffer(*this, memory_.data(), bytes);
  }
  Arena::Source& arena_source() override { return *this; }
  std::byte* AllocateChunk(size_t) override { return nullptr; }
  void FreeChunk(std::byte*, size_t) override { ++freed; }
  void Upload(absl::Span<const std::byte>, std::byte*) override {}
  void Download(const std::byte*, absl::Span<std::byte>) override {}
  size_t WeightBytes(DType, int64_t, int64_t) const override { return 0; }
  Weight LayOut(Tensor, Tensor, std::byte*) override { return {}; }
  Ops& ops() override { std::abort(); }

  int freed = 0;

 private:
  std::vector<std::byte> memory_ = std::vector<std::byte>(1 << 20);
};

TEST(KvCacheTest, Shape) {
  SmallDevice device;
  {
    auto cache =
        KvCache::Create(device, {.layers = 3, .line = 10, .dtype = DType::kBF16, .blocks = 5});
    ASSERT_TRUE(cache.ok());
    const Tensor lines = (*cache)->lines();
    EXPECT_EQ(lines.rows, 3 * 5 * 64);
    EXPECT_EQ(lines.cols, 10);
    EXPECT_EQ(lines.dtype, DType::kBF16);
    EXPECT_EQ((*cache)->lines_per_layer(), 5 * 64);
    EXPECT_EQ((*cache)->pool().total(), 5);
  }
  EXPECT_EQ(device.freed, 1);
}

TEST(KvCacheTest, Refusals) {
  SmallDevice device;
  const auto create = [&](int layers, int line, int64_t blocks) {
    return KvCache::Create(device,
                           {.layers = layers, .line = line, .dtype = DType::kF32, .blocks = blocks})
        .status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(create(0, 1, 1)));
  EXPECT_TRUE(absl::IsInvalidArgument(create(1, -1, 1)));
  EXPECT_EQ(create(1, 1, 0).message(), "KV cache: blocks is 0, at least 1 is needed");
  EXPECT_TRUE(absl::IsInvalidArgument(create(1, 1, int64_t{1} << 31)));
  EXPECT_TRUE(absl::IsResourceExhausted(create(1000, 1000, 1000)));
}

}  // namespace
}  // namespace shoal
