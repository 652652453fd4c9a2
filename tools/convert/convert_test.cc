#include "tools/convert/convert.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/model/config.h"
#include "runtime/model/tensor_table.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/file.h"
#include "runtime/weights/testing/host_device.h"
#include "runtime/weights/testing/temp_folder.h"
#include "runtime/weights/weight_store.h"

namespace shoal {
namespace {

class ConvertTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteRandomCheckpoint(TinyV3Config(), from_.path(), {.seed = 3}).ok());
    from_.Write("tokenizer.json", "{}");
  }
  std::string To() const { return parent_.File("fp8"); }
  absl::StatusOr<ConvertResult> Convert() const {
    return ConvertToFp8(from_.path(), To(), nullptr);
  }

  TempFolder from_, parent_;
};

// The data of a tensor.
std::vector<std::byte> Bytes(const Checkpoint& checkpoint, const std::string& name) {
  const Checkpoint::Entry& entry = checkpoint.entries().at(name);
  std::vector<std::byte> bytes(entry.tensor.bytes);
  EXPECT_TRUE(checkpoint.file(entry.shard).Read(entry.tensor.offset, absl::MakeSpan(bytes)).ok());
  return bytes;
}

TEST_F(ConvertTest, ResultIsWhatTheFp8ConfigDemands) {
  const auto result = Convert();
  ASSERT_TRUE(result.ok()) << result.status();
  const auto config = ReadDeepSeekConfig(To());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->fp8);
  HostDevice device;
  const auto placement = ExpertPlacement::Contiguous(config->moe_layers(), config->gate.experts, 1);
  const TensorTable table = DeepSeekTensorTable(*config);
  const auto store = WeightStore::Open(To(), table, ShareOf(*placement, 0), device, {});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->digest_covers_experts());
  EXPECT_EQ((*store)->bytes_read(), ShareBytes(table, ShareOf(*placement, 0)));
  EXPECT_EQ(result->quantized + result->copied,
            static_cast<int64_t>(DeepSeekTensorTable(*ReadDeepSeekConfig(from_.path())).size()));
  EXPECT_TRUE(std::filesystem::exists(To() + "/tokenizer.json"));
  for (const char* shard : {"1", "2", "3"}) {
    EXPECT_TRUE(std::filesystem::exists(To() + "/model-0000" + shard + "-of-00003.safetensors"));
  }
}

TEST_F(ConvertTest, ValuesComeBackWithinHalfAStep) {
  ASSERT_TRUE(Convert().ok());
  const auto before = Checkpoint::Open(from_.path()), after = Checkpoint::Open(To());
  ASSERT_TRUE(before.ok() && after.ok()) << after.status();
  int matrices = 0;
  for (const auto& [name, entry] : before->entries()) {
    const std::vector<std::byte> old_bytes = Bytes(*before, name), new_bytes = Bytes(*after, name);
    if (after->entries().at(name).tensor.dtype != DType::kF8E4M3) {
      EXPECT_EQ(old_bytes, new_bytes) << name;
      continue;
    }
    ++matrices;
    const auto* w = reinterpret_cast<const BF16*>(old_bytes.data());
    const auto* q = reinterpret_cast<const F8E4M3*>(new_bytes.data());
    const std::vector<std::byte> scale_bytes = Bytes(*after, ScaleName(name));
    const auto* scales = reinterpret_cast<const float*>(scale_bytes.data());
    const int64_t rows = entry.tensor.shape[0], cols = entry.tensor.shape[1],
                  blocks = (cols + 127) / 128;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        const float scale = scales[r / 128 * blocks + c / 128], v = w[r * cols + c].ToFloat();
        ASSERT_LE(std::abs(q[r * cols + c].ToFloat() * scale - v),
                  std::max(std::abs(v), 0x1p-6f * scale) * 0x1.01p-4f)
            << name;
      }
    }
  }
  // Per layer: five of attention; a dense FFN of three, or 16 + 1 experts of three.  The MTP module
  // is a MoE layer.
  EXPECT_EQ(matrices, 4 * 5 + 3 + 3 * 17 * 3);
}

TEST_F(ConvertTest, SameInputSameBytes) {
  const auto first = Convert();
  ASSERT_TRUE(first.ok()) << first.status();
  TempFolder again;
  const auto second = ConvertToFp8(from_.path(), again.File("x"), nullptr);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->digest, second->digest);
  for (const auto& file : std::filesystem::directory_iterator(To())) {
    const std::string name = file.path().filename();
    EXPECT_EQ(*ReadSmallFile(file.path(), 1 << 30), again.Read("x/" + name)) << name;
  }
  EXPECT_EQ(first->digest, "dd24679420ac8e12fda1bcdfa248471fc4dcf103e354f908549371f66e853185");
}

TEST_F(ConvertTest, RefusesWhatItCannotConvert) {
  ASSERT_TRUE(Convert().ok());
  EXPECT_EQ(Convert().status().code(), absl::StatusCode::kAlreadyExists);
  const absl::Status twice = ConvertToFp8(To(), parent_.File("y"), nullptr).status();
  EXPECT_EQ(twice.message(), To() + "/config.json: quantization_config is there already");
  EXPECT_EQ(ConvertToFp8(parent_.path(), parent_.File("z"), nullptr).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ConvertTest, RefusesANumberThatIsNone) {
  const auto checkpoint = Checkpoint::Open(from_.path());
  ASSERT_TRUE(checkpoint.ok());
  const Checkpoint::Entry& entry = checkpoint->entries().at("model.layers.0.mlp.up_proj.weight");
  const std::string path = checkpoint->file(entry.shard).path(),
                    name = std::filesystem::path(path).filename();
  std::string content = from_.Read(name);
  content[entry.tensor.offset + 2 * 7] = '\x80';  // +infinity
  content[entry.tensor.offset + 2 * 7 + 1] = '\x7f';
  from_.Write(name, content);
  EXPECT_EQ(Convert().status().message(),
            path + ": tensor model.layers.0.mlp.up_proj.weight, element 7 is not finite");
}

TEST_F(ConvertTest, DigestsCanBeAdded) {
  EXPECT_EQ(AddDigests(from_.path()).status().code(), absl::StatusCode::kAlreadyExists);
  const std::string written = from_.Read(std::string(kDigestsFile));
  std::filesystem::remove(from_.File(std::string(kDigestsFile)));
  const auto digest = AddDigests(from_.path());
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(from_.Read(std::string(kDigestsFile)), written);
  EXPECT_TRUE(Checkpoint::Open(from_.path()).ok());
}

}  // namespace
}  // namespace shoal
