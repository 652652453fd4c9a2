#include "runtime/weights/weight_store.h"

#include <cstring>
#include <numeric>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/testing/host_device.h"
#include "runtime/weights/testing/temp_folder.h"

namespace shoal {
namespace {

using Use = TensorSpec::Use;

constexpr int kExperts = 4;

// An embedding, a norm, an FP8 matrix, an absorbed one, four experts of one MoE layer, and a tensor
// nobody loads.
TensorTable Table() {
  TensorTable table = {
      {"embed", {7, 6}, {DType::kBF16}, Use::kTable, -1, -1, {}},
      {"norm", {6}, {DType::kBF16, DType::kF32}, Use::kVector, -1, -1, {}},
      {"proj", {130, 6}, {DType::kF8E4M3}, Use::kMatrix, -1, -1, {}},
      {"proj_scale_inv", {2, 1}, {DType::kF32}, Use::kScale, -1, -1, {}},
      {"kv_b", {2 * (3 + 2), 6}, {DType::kF8E4M3}, Use::kAbsorbed, -1, -1, {2, 3, 2}},
      {"kv_b_scale_inv", {1, 1}, {DType::kF32}, Use::kScale, -1, -1, {}},
      {"mtp", {3, 3}, {DType::kBF16}, Use::kUnused, -1, -1, {}},
  };
  for (int e = 0; e < kExperts; ++e) {
    table.push_back(
        {"expert." + std::to_string(e), {5, 6}, {DType::kBF16}, Use::kMatrix, 0, e, {}});
  }
  return table;
}

// Byte i of a tensor; F32 tensors hold 1.5, 2.5, ...
std::vector<std::byte> DataOf(const CheckpointWriter::NewTensor& t) {
  int64_t n = 1;
  for (const int64_t dim : t.shape) n *= dim;
  std::vector<std::byte> bytes(static_cast<size_t>(n) * SizeOf(t.dtype));
  for (int64_t i = 0; i < n; ++i) {
    if (t.dtype == DType::kF32) {
      const float v = static_cast<float>(i) + 1.5f;
      std::memcpy(&bytes[i * 4], &v, 4);
    } else if (t.dtype == DType::kBF16) {
      const BF16 v =
          BF16::FromFloat(static_cast<float>(i % 11) + static_cast<float>(t.name.back() - '0'));
      std::memcpy(&bytes[i * 2], &v, 2);
    } else {
      bytes[i] = std::byte{F8E4M3::FromFloat(static_cast<float>(i % 13)).bits};
    }
  }
  return bytes;
}

class WeightStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Write(Table()); }

  void Write(const TensorTable& table) {
    CheckpointWriter writer(folder_.path());
    std::vector<CheckpointWriter::NewTensor> first, second;
    for (const TensorSpec& spec : table) {
      auto& shard = first.size() < table.size() / 2 ? first : second;
      shard.push_back({spec.name, spec.dtypes.front(), spec.shape});
    }
    ASSERT_TRUE(writer.WriteShard("m-1.safetensors", first, DataOf).ok());
    ASSERT_TRUE(writer.WriteShard("m-2.safetensors", second, DataOf).ok());
    ASSERT_TRUE(writer.Finish().ok());
  }
  absl::StatusOr<std::unique_ptr<WeightStore>> Open(std::vector<int32_t> experts = {1, 3}) {
    return WeightStore::Open(folder_.path(), Table(), {{std::move(experts)}}, device_, {});
  }
  void ExpectRefused(const std::string& message) {
    const auto store = Open();
    EXPECT_EQ(store.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(store.status().message().find(message), std::string::npos) << store.status();
  }
  void FlipByteOf(const std::string& tensor) {
    const auto checkpoint = Checkpoint::Open(folder_.path());
    ASSERT_TRUE(checkpoint.ok());
    const Checkpoint::Entry& entry = checkpoint->entries().at(tensor);
    const std::string name = entry.shard == 0 ? "m-1.safetensors" : "m-2.safetensors";
    std::string content = folder_.Read(name);
    content[entry.tensor.offset + entry.tensor.bytes / 2] ^= 1;
    folder_.Write(name, content);
  }

  TempFolder folder_;
  HostDevice device_;
};

// Replicated: 84 + 12 + 780 + 8 + 60 + 4; an expert: 60.
constexpr int64_t kReplicatedBytes = 948, kExpertBytes = 60;

TEST_F(WeightStoreTest, ReadsItsShareAndNothingElse) {
  for (const std::vector<int32_t>& experts : {std::vector<int32_t>{}, {2}, {3, 0}, {0, 1, 2, 3}}) {
    int64_t last = -1, total = -1;
    WeightStore::Options options;
    options.progress = [&](int64_t done, int64_t all) {
      EXPECT_GT(done, last);
      last = done, total = all;
      return true;
    };
    const auto store = WeightStore::Open(folder_.path(), Table(), {{experts}}, device_, options);
    ASSERT_TRUE(store.ok()) << store.status();
    const int64_t share = kReplicatedBytes + kExpertBytes * static_cast<int64_t>(experts.size());
    EXPECT_EQ((*store)->bytes_read(), share);
    EXPECT_EQ(last, share);
    EXPECT_EQ(total, share);
  }
}

TEST_F(WeightStoreTest, ALoadThatNobodyWaitsForIsGivenUp) {
  int calls = 0;
  WeightStore::Options options;
  options.progress = [&](int64_t, int64_t) { return ++calls < 2; };
  const auto store = WeightStore::Open(folder_.path(), Table(), {{{1}}}, device_, options);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kCancelled) << store.status();
  EXPECT_EQ(calls, 2);
}

TEST_F(WeightStoreTest, HoldsEveryUseInItsForm) {
  const auto opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  const WeightStore& store = **opened;

  const Tensor embed = store.Table("embed");
  EXPECT_EQ(embed.dtype, DType::kBF16);
  EXPECT_EQ(embed.rows, 7);
  EXPECT_EQ(std::memcmp(embed.data, DataOf({"embed", DType::kBF16, {7, 6}}).data(), embed.bytes()),
            0);

  const Tensor norm = store.Vector("norm");
  EXPECT_EQ(norm.dtype, DType::kF32);
  EXPECT_EQ(norm.rows, 1);
  const float first = static_cast<float>('m' - '0');
  EXPECT_EQ(norm.At<float>(0)[0], BF16::FromFloat(first).ToFloat());

  const Weight proj = store.Matrix("proj");
  EXPECT_EQ(proj.out(), 130);
  EXPECT_EQ(proj.in(), 6);
  EXPECT_EQ(proj.data.At<F8E4M3>(2)[1].ToFloat(), 0);
  EXPECT_EQ(proj.scale.rows, 2);
  EXPECT_EQ(proj.scale.At<float>(1)[0], 2.5f);

  for (const int e : {1, 3}) {
    const Weight expert = store.Matrix("expert." + std::to_string(e));
    EXPECT_EQ(expert.data.At<BF16>(1)[0].ToFloat(), static_cast<float>(6 + e));
  }
  EXPECT_DEATH(store.Matrix("expert.2"), "no such weight in this share: expert.2");
  EXPECT_DEATH(store.Vector("proj"), "no such weight");
  EXPECT_DEATH(store.Matrix("mtp"), "no such weight");
}

TEST_F(WeightStoreTest, AbsorbedMatrixIsSplitByHeads) {
  const auto opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  const AbsorbedHeads heads = (*opened)->Absorbed("kv_b");
  ASSERT_EQ(heads.uk.size(), 2u);
  ASSERT_EQ(heads.uv.size(), 2u);
  // Element (row, column) of kv_b is ((row * 6 + column) mod 13) * 1.5.
  const auto stored = [](int64_t row, int64_t column) {
    return static_cast<float>((row * 6 + column) % 13) * 1.5f;
  };
  for (int64_t h = 0; h < 2; ++h) {
    EXPECT_EQ(heads.uk[h].out(), 6);
    EXPECT_EQ(heads.uk[h].in(), 3);
    EXPECT_EQ(heads.uv[h].out(), 2);
    for (int64_t c = 0; c < 6; ++c) {
      for (int64_t r = 0; r < 3; ++r)
        EXPECT_EQ(heads.uk[h].data.At<BF16>(c)[r].ToFloat(), stored(h * 5 + r, c));
      for (int64_t r = 0; r < 2; ++r)
        EXPECT_EQ(heads.uv[h].data.At<BF16>(r)[c].ToFloat(), stored(h * 5 + 3 + r, c));
    }
  }
}

TEST_F(WeightStoreTest, DigestIsTheSameForEveryShare) {
  const std::string digest = (*Open({0, 1}))->digest();
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ((*Open({2, 3}))->digest(), digest);
  EXPECT_TRUE((*Open())->digest_covers_experts());

  std::filesystem::remove(folder_.File(std::string(kDigestsFile)));
  const std::string bare = (*Open({0}))->digest();
  EXPECT_NE(bare, digest);
  EXPECT_EQ((*Open({3}))->digest(), bare);
  EXPECT_FALSE((*Open())->digest_covers_experts());
  FlipByteOf("proj");  // replicated: seen even without digests.json
  EXPECT_NE((*Open({0}))->digest(), bare);
}

TEST_F(WeightStoreTest, DataThatIsNotAsDigestedIsDataLoss) {
  FlipByteOf("expert.2");
  EXPECT_TRUE(Open({0, 1}).ok()) << "expert 2 is not in this share";
  const absl::Status status = Open({2}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("m-2.safetensors: tensor expert.2 has SHA-256 "),
            std::string::npos)
      << status;
}

TEST_F(WeightStoreTest, CheckpointMustBeTheTable) {
  TensorTable table = Table();
  table.pop_back();
  Write(table);
  ExpectRefused(": tensor expert.3 [5, 6] is missing");

  table = Table();
  table.push_back({"surplus", {1}, {DType::kF32}, Use::kVector, -1, -1, {}});
  Write(table);
  ExpectRefused("m-2.safetensors: tensor surplus is not one that the config demands");

  table = Table();
  table[0].shape = {6, 7};
  Write(table);
  ExpectRefused("m-1.safetensors: tensor embed is [6, 7], but the config demands [7, 6]");

  table = Table();
  table[1].dtypes = {DType::kF8E4M3};
  Write(table);
  ExpectRefused("m-1.safetensors: tensor norm is F8_E4M3, but the config demands BF16 or F32");

  table = Table();
  table[6].shape = {3, 4};  // not loaded, but it must fit
  Write(table);
  ExpectRefused("tensor mtp is [3, 4], but the config demands [3, 3]");
}

TEST_F(WeightStoreTest, TruncatedShardIsRefused) {
  const std::string whole = folder_.Read("m-2.safetensors");
  folder_.Write("m-2.safetensors", whole.substr(0, whole.size() - 1));
  ExpectRefused("m-2.safetensors: tensor ");
}

TEST_F(WeightStoreTest, FullDeviceIsResourceExhausted) {
  HostDevice small(1000);
  const auto store = WeightStore::Open(folder_.path(), Table(), {{{1}}}, small, {});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace shoal
