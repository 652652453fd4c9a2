#include "runtime/text/tokenizer_config.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/text/json_fields.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

// Most fields steer Python classes that we do not have. add_bos_token only
// matters to text without a chat template's own bos token.
FieldRules Rules() {
  return {
      {"add_bos_token", {}},
      {"add_eos_token", {false}},
      {"added_tokens_decoder", {}},  // tokenizer.json says the same
      {"additional_special_tokens", {}},
      {"bos_token", {}},
      {"chat_template", {}},
      {"clean_up_tokenization_spaces", {false}},
      {"eos_token", {}},
      {"legacy", {}},
      {"model_max_length", {}},  // config.json decides
      {"pad_token", {}},
      {"sp_model_kwargs", {Json::object()}},
      {"tokenizer_class", {}},
      {"unk_token", {nullptr}},
      {"use_default_system_prompt", {false}},
  };
}

// A token is a string, or an object with its content.
absl::StatusOr<std::string> ReadToken(const Json& config, const std::string& key) {
  const auto it = config.find(key);
  if (it != config.end() && it->is_object()) {
    return StringField(*it, key, "content");
  }
  return StringField(config, "", key);
}

}  // namespace

absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(absl::string_view json) {
  ASSIGN_OR_RETURN(const Json config, ParseStrictJson(json, "tokenizer_config.json"));
  RETURN_IF_ERROR(CheckFields(config, "", Rules()));
  TokenizerConfig parsed;
  ASSIGN_OR_RETURN(parsed.bos_token, ReadToken(config, "bos_token"));
  ASSIGN_OR_RETURN(parsed.eos_token, ReadToken(config, "eos_token"));
  const auto it = config.find("chat_template");
  if (it != config.end() && !it->is_null()) {
    ASSIGN_OR_RETURN(parsed.chat_template, StringField(config, "", "chat_template"));
  }
  return parsed;
}

}  // namespace shoal
