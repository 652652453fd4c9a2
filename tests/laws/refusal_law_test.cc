// Law 7 on config.json: every way to spoil a field is refused by an error that names the field. The
// check is a function of the parser, so that a lenient one, the saboteur, shows that it can fail.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

#include "runtime/model/config.h"

namespace shoal {
namespace {

using nlohmann::json;
using Parser = std::function<absl::Status(const json&)>;

// Fields that decide a model's shape or arithmetic.
constexpr const char* kFields[] = {"hidden_size",
                                   "num_hidden_layers",
                                   "vocab_size",
                                   "num_attention_heads",
                                   "q_lora_rank",
                                   "kv_lora_rank",
                                   "qk_nope_head_dim",
                                   "qk_rope_head_dim",
                                   "v_head_dim",
                                   "n_routed_experts",
                                   "n_shared_experts",
                                   "num_experts_per_tok",
                                   "n_group",
                                   "topk_group",
                                   "moe_intermediate_size",
                                   "intermediate_size",
                                   "first_k_dense_replace",
                                   "max_position_embeddings",
                                   "rms_norm_eps",
                                   "rope_theta",
                                   "routed_scaling_factor",
                                   "scoring_func",
                                   "topk_method",
                                   "model_type"};

struct Spoiled {
  std::string field;
  std::string how;
  json config;
};

json Nano() { return json::parse(std::ifstream("tools/nano/model/config.json")); }

std::vector<Spoiled> SpoiledConfigs() {
  std::vector<Spoiled> all;
  const auto add = [&](const std::string& field, const std::string& how, const json& value) {
    json config = Nano();
    config[field] = value;
    all.push_back({field, how, config});
  };
  for (const char* field : kFields) {
    add(field, "of another type", json::array({1}));
    if (Nano()[field].is_number()) add(field, "negative", -3);
    if (Nano()[field].is_string()) add(field, "unknown", "mystery");
  }
  add("n_group", "not dividing n_routed_experts", 3);
  add("topk_group", "above n_group", 5);
  add("num_experts_per_tok", "above what the groups hold", 64);
  add("first_k_dense_replace", "above num_hidden_layers", 9);
  add("qk_rope_head_dim", "odd", 15);
  add("a_field_of_tomorrow", "unknown", 1);
  return all;
}

// What `parse` lets through, or refuses without naming the field.
std::vector<std::string> BreachesOf(const Parser& parse) {
  std::vector<std::string> breaches;
  for (const Spoiled& spoiled : SpoiledConfigs()) {
    const absl::Status status = parse(spoiled.config);
    const bool named = status.message().find(spoiled.field) != absl::string_view::npos;
    if (status.code() != absl::StatusCode::kInvalidArgument || !named) {
      breaches.push_back(spoiled.field + " " + spoiled.how + ": " + status.ToString());
    }
  }
  return breaches;
}

TEST(RefusalLawTest, EverySpoiledFieldIsRefusedByName) {
  ASSERT_TRUE(ParseDeepSeekConfig(Nano().dump()).ok());
  EXPECT_EQ(
      BreachesOf([](const json& config) { return ParseDeepSeekConfig(config.dump()).status(); }),
      std::vector<std::string>{});
}

// Drops what it does not know and puts a default where a number is out of range, as many loaders
// do.
TEST(RefusalLawTest, ALenientParserIsFound) {
  const Parser lenient = [](const json& config) {
    json mended = Nano();
    for (const auto& [key, value] : config.items()) {
      const bool known = mended.contains(key);
      if (known && !(value.is_number() && value < 0)) mended[key] = value;
    }
    return ParseDeepSeekConfig(mended.dump()).status();
  };
  const std::vector<std::string> breaches = BreachesOf(lenient);
  EXPECT_GT(breaches.size(), 15u);  // each negative number, and the unknown field
  EXPECT_NE(breaches.back().find("a_field_of_tomorrow"), std::string::npos);
}

}  // namespace
}  // namespace shoal
