// Everything about text that a model directory holds.

#ifndef SHOAL_RUNTIME_TEXT_TEXT_MODEL_H_
#define SHOAL_RUNTIME_TEXT_TEXT_MODEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

// Immutable, therefore thread-safe.
struct TextModel {
  std::unique_ptr<const Tokenizer> tokenizer;
  ChatTemplate chat_template;  // has all its tokens in `tokenizer`
  TokenId bos;
  TokenId eos;  // ends an assistant turn
};

// Reads `directory`/tokenizer.json and tokenizer_config.json. The chat template
// is the one named `dialect` ("deepseek-r1", ...), or, if that is empty, the
// one whose Jinja text the configuration holds. Errors name the file and what
// is wrong in it.
absl::StatusOr<TextModel> LoadTextModel(const std::string& directory,
                                        absl::string_view dialect = "");

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TEXT_MODEL_H_
