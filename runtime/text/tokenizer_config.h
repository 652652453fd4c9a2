// Hugging Face's tokenizer_config.json, as far as it says something that
// tokenizer.json does not.

#ifndef SHOAL_RUNTIME_TEXT_TOKENIZER_CONFIG_H_
#define SHOAL_RUNTIME_TEXT_TOKENIZER_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct TokenizerConfig {
  std::string bos_token;
  std::string eos_token;
  std::string chat_template;  // Jinja; empty if there is none
};

// InvalidArgument naming the field and its value; also for a field that is not
// known.
absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(absl::string_view json);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOKENIZER_CONFIG_H_
