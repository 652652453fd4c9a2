// Input: a tokenizer_config.json.
//
// Accepted means: it says the same however it is written, and its template is one that is known or
// is refused.

#include <string>

#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/text/chat_dialect.h"
#include "runtime/text/tokenizer_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = shoal::ParseTokenizerConfig(text);
  if (!config.ok()) {
    shoal::fuzz::CheckRefusal(config.status(), "");
    return 0;
  }
  const std::string rewritten = nlohmann::json::parse(text.begin(), text.end()).dump();
  const auto again = shoal::ParseTokenizerConfig(rewritten);
  CHECK_OK(again.status());
  CHECK(again->bos_token == config->bos_token);
  CHECK(again->eos_token == config->eos_token);
  CHECK(again->chat_template == config->chat_template);
  const auto dialect = shoal::RecogniseChatDialect(config->chat_template);
  if (!dialect.ok()) shoal::fuzz::CheckRefusal(dialect.status(), "chat_template has the digest ");
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return shoal::fuzz::MutateInput(data, size, max_size, seed);
}
