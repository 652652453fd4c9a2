#include "runtime/weights/checkpoint.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/testing/temp_folder.h"

namespace shoal {
namespace {

using nlohmann::json;

class CheckpointTest : public ::testing::Test {
 protected:
  // Tensor a in the first shard, b and c in the second.
  void SetUp() override {
    CheckpointWriter writer(folder_.path());
    const auto zeros = [](const CheckpointWriter::NewTensor& t) {
      return std::vector<std::byte>(static_cast<size_t>(t.shape[0]) * SizeOf(t.dtype));
    };
    ASSERT_TRUE(writer.WriteShard("m-1.safetensors", {{"a", DType::kF32, {3}}}, zeros).ok());
    ASSERT_TRUE(writer
                    .WriteShard("m-2.safetensors",
                                {{"b", DType::kF8E4M3, {5}}, {"c", DType::kBF16, {2}}}, zeros)
                    .ok());
    ASSERT_TRUE(writer.Finish().ok());
  }
  void EditIndex(const std::string& pointer, const json& value) {
    json index = json::parse(folder_.Read(std::string(kIndexFile)));
    index[json::json_pointer(pointer)] = value;
    folder_.Write(std::string(kIndexFile), index.dump());
  }
  std::string Error() {
    const auto checkpoint = Checkpoint::Open(folder_.path());
    EXPECT_FALSE(checkpoint.ok());
    return std::string(checkpoint.status().message());
  }
  std::string Index(const std::string& why) {
    return folder_.File(std::string(kIndexFile)) + ": " + why;
  }

  TempFolder folder_;
};

TEST_F(CheckpointTest, JoinsTheShards) {
  const auto checkpoint = Checkpoint::Open(folder_.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->shards(), 2);
  ASSERT_EQ(checkpoint->entries().size(), 3u);
  const Checkpoint::Entry& c = checkpoint->entries().at("c");
  EXPECT_EQ(c.tensor.dtype, DType::kBF16);
  EXPECT_EQ(checkpoint->file(c.shard).path(), folder_.File("m-2.safetensors"));
  // SHA-256 of four zero bytes.
  EXPECT_EQ(c.sha256, "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119");
}

TEST_F(CheckpointTest, OneFileNeedsNoIndex) {
  TempFolder folder;
  EXPECT_EQ(Checkpoint::Open(folder.path()).status().code(), absl::StatusCode::kNotFound);
  folder.Write(std::string(kSingleFile), folder_.Read("m-2.safetensors"));
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->entries().size(), 2u);
  EXPECT_EQ(checkpoint->entries().at("b").sha256, "");
  folder.Write(std::string(kIndexFile), "{}");
  EXPECT_NE(Checkpoint::Open(folder.path()).status().message().find("holds both"),
            std::string::npos);
}

TEST_F(CheckpointTest, ShardsArePlainFilesOfThisFolder) {
  for (const char* name : {"../m-1.safetensors", "/etc/passwd", "sub/m.safetensors",
                           ".hidden.safetensors", "m-1.bin", "", "m\n.safetensors"}) {
    EXPECT_FALSE(IsPlainShardName(name)) << name;
    EditIndex("/weight_map/a", name);
    EXPECT_EQ(Error(), Index("weight_map.a is " + json(name).dump() +
                             ", not the plain name of a .safetensors file in this folder"));
  }
  EXPECT_TRUE(IsPlainShardName("model-00001-of-000163.safetensors"));
}

TEST_F(CheckpointTest, MissingShardIsNotFound) {
  EditIndex("/weight_map/a", "m-3.safetensors");
  const absl::Status status = Checkpoint::Open(folder_.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("m-3.safetensors"), std::string::npos);
}

TEST_F(CheckpointTest, IndexMustBeWhatTheShardsHold) {
  const json good = json::parse(folder_.Read(std::string(kIndexFile)));
  EditIndex("/weight_map/a", "m-2.safetensors");
  EditIndex("/weight_map/b", "m-1.safetensors");
  EXPECT_EQ(Error(), Index("weight_map.a is \"m-2.safetensors\", but m-1.safetensors holds it"));

  folder_.Write(std::string(kIndexFile), good.dump());
  EditIndex("/weight_map/d", "m-1.safetensors");
  EXPECT_EQ(Error(), Index("weight_map.d is \"m-1.safetensors\", but no shard holds it"));

  json lacking = good;
  lacking["weight_map"].erase("b");
  folder_.Write(std::string(kIndexFile), lacking.dump());
  EXPECT_EQ(Error(), Index("weight_map lacks b, which m-2.safetensors holds"));

  folder_.Write(std::string(kIndexFile), good.dump());
  EditIndex("/metadata/total_size", 22);
  EXPECT_EQ(Error(), Index("metadata.total_size is 22, but the shards hold 21 bytes of tensors"));
  EditIndex("/metadata/total_size", "21");
  EXPECT_EQ(Error(),
            Index("metadata.total_size is \"21\", but the shards hold 21 bytes of tensors"));

  // The published V3: two bytes for every element, though its types take four, one and two.
  EditIndex("/metadata/total_size", 20);
  EXPECT_TRUE(Checkpoint::Open(folder_.path()).ok());

  json bare = good;
  bare["metadata"] = json::object();
  folder_.Write(std::string(kIndexFile), bare.dump());
  EXPECT_TRUE(Checkpoint::Open(folder_.path()).ok());
  // Equal as a number is not enough: sizes are whole numbers.
  EditIndex("/metadata/total_size", 21.0);
  EXPECT_EQ(Error(), Index("metadata.total_size is 21.0, but the shards hold 21 bytes of tensors"));
  EditIndex("/metadata", 7);
  EXPECT_EQ(Error(), Index("metadata is 7, not an object"));
  EditIndex("/extra", 1);
  EXPECT_EQ(Error(), Index("extra is 1, but no such field is known"));
  folder_.Write(std::string(kIndexFile), R"({"weight_map":{"a":1}})");
  EXPECT_EQ(Error(), Index("weight_map.a is 1, not a string"));
  folder_.Write(std::string(kIndexFile), R"({"weight_map":[]})");
  EXPECT_EQ(Error(), Index("weight_map is [], not an object"));
  folder_.Write(std::string(kIndexFile), "{}");
  EXPECT_EQ(Error(), Index("weight_map is missing"));
  folder_.Write(std::string(kIndexFile), "[1]");
  EXPECT_EQ(Error(), Index("the document is [1], not an object"));
  folder_.Write(std::string(kIndexFile),
                R"({"weight_map":{"a":"m-1.safetensors","a":"m-2.safetensors"}})");
  EXPECT_EQ(Error(), Index("key \"a\" stands twice in one object"));
}

// A file of zeros takes no room on the disk; it is refused before it takes any in memory.
TEST_F(CheckpointTest, AnIndexOfTwoGigabytesIsRefusedUnread) {
  const std::string path = folder_.File(std::string(kIndexFile));
  std::filesystem::resize_file(path, uint64_t{2} << 30);
  EXPECT_EQ(Error(), path + " has 2147483648 bytes; at most 67108864 are expected");
}

TEST_F(CheckpointTest, ATensorLivesInOneShard) {
  folder_.Write("m-3.safetensors", folder_.Read("m-1.safetensors"));
  EditIndex("/weight_map/a", "m-3.safetensors");
  EditIndex("/weight_map/x", "m-1.safetensors");
  EXPECT_EQ(Error(), folder_.File("m-3.safetensors") + ": tensor a is also in " +
                         folder_.File("m-1.safetensors"));
}

TEST_F(CheckpointTest, DigestsMustNameEveryTensorAndNoOther) {
  const std::string path = folder_.File(std::string(kDigestsFile)) + ": ";
  json digests = json::parse(folder_.Read(std::string(kDigestsFile)));
  const std::string of_a = digests["sha256"]["a"];
  digests["sha256"].erase("a");
  folder_.Write(std::string(kDigestsFile), digests.dump());
  EXPECT_EQ(Error(), path + "sha256 lacks tensor a");
  digests["sha256"]["z"] = of_a;
  folder_.Write(std::string(kDigestsFile), digests.dump());
  EXPECT_EQ(Error(), path + "sha256.z is of no tensor in this folder");
  digests["md5"] = 1;
  folder_.Write(std::string(kDigestsFile), digests.dump());
  EXPECT_EQ(Error(), path + "md5 is 1, but no such field is known");
  digests.erase("md5");
  digests["sha256"]["b"] = "00";
  folder_.Write(std::string(kDigestsFile), digests.dump());
  EXPECT_EQ(Error(), path + "sha256.b is \"00\", not 64 lower-case hex digits");
}

}  // namespace
}  // namespace shoal
