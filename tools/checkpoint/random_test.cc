#include "tools/checkpoint/random.h"

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/model/config.h"
#include "runtime/model/shard_plan.h"
#include "runtime/model/tensor_table.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/weights/testing/host_device.h"
#include "runtime/weights/testing/temp_folder.h"
#include "runtime/weights/weight_store.h"

namespace shoal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class RandomCheckpointTest : public ::testing::Test {
 protected:
  RandomCheckpointSpec Spec(const json& config, uint64_t seed = 1) const {
    RandomCheckpointSpec spec;
    spec.config_json = config.dump(2) + "\n";
    spec.to = folder_.File("checkpoint");
    spec.seed = seed;
    spec.shard_bytes = 400'000;
    return spec;
  }
  TempFolder folder_;
};

// Every accepted form loads, rank by rank, as planned, with its digests checked.
TEST_F(RandomCheckpointTest, IsACheckpointOfItsConfig) {
  const json configs[] = {TinyV3Config(), WithFp8(TinyV3Config()), TinyV2Config(),
                          WithFp8(TinyV2Config())};
  for (const json& config : configs) {
    const RandomCheckpointSpec spec = Spec(config);
    const auto result = MakeRandomCheckpoint(spec, nullptr);
    ASSERT_TRUE(result.ok()) << result.status();
    const auto parsed = ReadDeepSeekConfig(spec.to);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const TensorTable table = DeepSeekTensorTable(*parsed);
    const auto placement = PlaceEvenly(*parsed, {.ranks = 4, .redundant_slots = 4});
    ASSERT_TRUE(placement.ok());
    const ShardPlan plan = PlanShards(table, *placement);
    EXPECT_EQ(result->tensors, plan.tensors);
    EXPECT_EQ(result->bytes, plan.bytes);
    EXPECT_GT(result->shards, 1);
    for (int rank = 0; rank < 4; ++rank) {
      HostDevice device;
      const auto store = WeightStore::Open(spec.to, table, ShareOf(*placement, rank), device, {});
      ASSERT_TRUE(store.ok()) << store.status();
      EXPECT_EQ((*store)->bytes_read(), plan.ranks[rank].bytes());
      EXPECT_TRUE((*store)->digest_covers_experts());
    }
    fs::remove_all(spec.to);
  }
}

TEST_F(RandomCheckpointTest, SameSeedSameBytesHoweverItIsCut) {
  RandomCheckpointSpec spec = Spec(WithFp8(TinyV3Config()), 7);
  const auto first = MakeRandomCheckpoint(spec, nullptr);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->digest, "73acf9a3856f71a0bfe492948f5518395d208eca4cb65137bdf2f4b9c2739313");
  spec.to = folder_.File("one");
  spec.shard_bytes = int64_t{1} << 40;
  const auto one = MakeRandomCheckpoint(spec, nullptr);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->shards, 1);
  EXPECT_EQ(one->digest, first->digest);
  spec.to = folder_.File("other");
  spec.seed = 8;
  EXPECT_NE(MakeRandomCheckpoint(spec, nullptr)->digest, first->digest);
}

TEST_F(RandomCheckpointTest, CopiesWhatARouterNeeds) {
  TempFolder tokenizer;
  tokenizer.Write("tokenizer.json", "{1}");
  RandomCheckpointSpec spec = Spec(TinyV3Config());
  spec.tokenizer = tokenizer.path();
  const absl::Status lacking = MakeRandomCheckpoint(spec, nullptr).status();
  EXPECT_EQ(lacking.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(lacking.message().find(tokenizer.File("tokenizer_config.json")), std::string::npos)
      << lacking;
  tokenizer.Write("tokenizer_config.json", "{2}");
  spec.to = folder_.File("second");
  ASSERT_TRUE(MakeRandomCheckpoint(spec, nullptr).ok());
  EXPECT_EQ(folder_.Read("second/tokenizer.json"), "{1}");
  EXPECT_EQ(folder_.Read("second/tokenizer_config.json"), "{2}");
  EXPECT_EQ(json::parse(folder_.Read("second/generation_config.json")),
            json({{"eos_token_id", 1}}));
}

TEST_F(RandomCheckpointTest, Refuses) {
  ASSERT_TRUE(MakeRandomCheckpoint(Spec(TinyV3Config()), nullptr).ok());
  EXPECT_EQ(MakeRandomCheckpoint(Spec(TinyV3Config()), nullptr).status().message(),
            folder_.File("checkpoint") + " holds model.safetensors.index.json already");
  EXPECT_EQ(CheckRoom("/there", 100, 100), absl::OkStatus());
  const absl::Status full = CheckRoom("/there", 101, 100);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "the checkpoint takes 101 bytes, but /there has room for 100");
  // More than any disk holds: nothing but the folder is made.
  json huge = TinyV3Config();
  huge["moe_intermediate_size"] = 65536;
  huge["hidden_size"] = 65536;
  huge["num_hidden_layers"] = 500;
  RandomCheckpointSpec spec = Spec(huge);
  spec.to = folder_.File("huge");
  const absl::Status status = MakeRandomCheckpoint(spec, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(fs::is_empty(spec.to));
}

TEST(EditedConfig, ChangesFieldsThatAreThere) {
  const std::string text = TinyV3Config().dump();
  const auto edited = EditedConfig(
      text, "config.json", {"fp8", 2, {{"n_routed_experts", "8"}, {"rope_scaling", "null"}}});
  ASSERT_TRUE(edited.ok()) << edited.status();
  json expected = WithFp8(TinyV3Config());
  expected["num_hidden_layers"] = 2;
  expected["n_routed_experts"] = 8;
  expected["rope_scaling"] = nullptr;
  EXPECT_EQ(json::parse(*edited), expected);
  EXPECT_EQ(json::parse(*EditedConfig(*edited, "config.json", {.form = "bf16"}))
                .contains("quantization_config"),
            false);

  EXPECT_EQ(EditedConfig(text, "c.json", {.fields = {{"n_experts", "8"}}}).status().message(),
            "c.json has no field n_experts to set to 8");
  EXPECT_EQ(EditedConfig(text, "c.json", {.form = "int4"}).status().message(),
            "the form is \"int4\", but only fp8 and bf16 are known");
  EXPECT_EQ(EditedConfig("[]", "c.json", {}).status().message(),
            "c.json: the document is [], not an object");
  EXPECT_FALSE(EditedConfig(text, "c.json", {.fields = {{"vocab_size", "1x"}}}).ok());
}

}  // namespace
}  // namespace shoal
