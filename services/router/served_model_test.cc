#include "services/router/served_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace shoal {
namespace {

namespace fs = std::filesystem;

// nano's text files in a folder of the test's own, to be broken one at a time.
class ServedModelTest : public testing::Test {
 protected:
  ServedModelTest()
      : folder_(fs::path(testing::TempDir()) /
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(folder_);
    for (const char* name :
         {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(fs::path("tools/nano/model") / name, folder_ / name,
                    fs::copy_options::overwrite_existing);
      fs::permissions(folder_ / name, fs::perms::owner_all);
    }
  }

  void Replace(const std::string& name, const std::string& from, const std::string& to) {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    std::string content = text.str();
    const size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos) << name << " has no " << from;
    content.replace(at, from.size(), to);
    std::ofstream(folder_ / name) << content;
  }

  absl::Status Load() { return LoadServedModel(folder_.string(), "nano", {}).status(); }

  void ExpectRefusal(const std::string& file, const std::string& what) {
    const absl::Status status = Load();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(file), std::string::npos) << status;
    EXPECT_NE(status.message().find(what), std::string::npos) << status;
  }

  const fs::path folder_;
};

TEST_F(ServedModelTest, LoadsWhatShips) {
  const auto model = LoadServedModel(folder_.string(), "nano", {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FLOAT_EQ(model->default_sampling.temperature, 0.6F);
  EXPECT_FLOAT_EQ(model->default_sampling.top_p, 0.95F);
  EXPECT_EQ(model->end_tokens, std::vector<TokenId>{1});
  EXPECT_EQ(model->limits.max_output_tokens, model->config.max_positions);
}

TEST_F(ServedModelTest, AMissingFileIsNamed) {
  fs::remove(folder_ / "generation_config.json");
  ExpectRefusal("generation_config.json", "cannot open");
}

TEST_F(ServedModelTest, AnUnknownGenerationFieldIsNamed) {
  Replace("generation_config.json", "\"do_sample\"", "\"do_simple\"");
  ExpectRefusal("generation_config.json: do_simple is", "an unknown field");
}

TEST_F(ServedModelTest, ADefaultOutOfRangeIsRefused) {
  Replace("generation_config.json", "0.95", "1.95");
  ExpectRefusal("generation_config.json", "top_p");
}

// 2^32 + 1, which a narrower type would read as 1.
TEST_F(ServedModelTest, AnEndTokenThatACastWouldBendIsRefused) {
  Replace("generation_config.json", "\"eos_token_id\": 1", "\"eos_token_id\": 4294967297");
  ExpectRefusal("eos_token_id is 4294967297", "range");
}

TEST_F(ServedModelTest, AGenerationFieldThatStandsTwiceIsRefused) {
  Replace("generation_config.json", "\"do_sample\"", "\"eos_token_id\": 2, \"do_sample\"");
  ExpectRefusal("generation_config.json", "key \"eos_token_id\" stands twice");
}

TEST_F(ServedModelTest, EndTokensThatDisagreeAreBothNamed) {
  Replace("generation_config.json", "\"eos_token_id\": 1", "\"eos_token_id\": 7");
  ExpectRefusal("generation_config.json eos_token_id is 7", "eos_token is id 1");
}

TEST_F(ServedModelTest, AnEndTokenBeyondTheVocabularyIsRefused) {
  Replace("generation_config.json", "\"eos_token_id\": 1", "\"eos_token_id\": 512");
  ExpectRefusal("512", "vocab_size is 512");
}

TEST_F(ServedModelTest, ATokenizerLargerThanTheModelIsRefused) {
  Replace("config.json", "\"vocab_size\": 512", "\"vocab_size\": 256");
  ExpectRefusal("tokenizer.json has", "vocab_size is 256");
}

}  // namespace
}  // namespace shoal
