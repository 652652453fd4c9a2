#include "runtime/text/text_model.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/text/chat_dialect.h"
#include "runtime/text/json_fields.h"
#include "runtime/text/tokenizer_config.h"

namespace shoal {
namespace {

absl::StatusOr<TextModel> Assemble(std::unique_ptr<const Tokenizer> tokenizer,
                                   absl::string_view config_json, absl::string_view dialect_name) {
  ASSIGN_OR_RETURN(const TokenizerConfig config, ParseTokenizerConfig(config_json));
  ASSIGN_OR_RETURN(const ChatDialect dialect, dialect_name.empty()
                                                  ? RecogniseChatDialect(config.chat_template)
                                                  : ChatDialectByName(dialect_name));
  ChatTemplate chat_template(dialect, config.bos_token);
  RETURN_IF_ERROR(chat_template.CheckTokens(*tokenizer));
  const std::optional<TokenId> bos = tokenizer->IdOf(config.bos_token);
  const std::optional<TokenId> eos = tokenizer->IdOf(config.eos_token);
  if (!bos.has_value() || !eos.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("bos_token '", Shown(config.bos_token),
                                                   "' and eos_token '", Shown(config.eos_token),
                                                   "' are not both added tokens of the tokenizer"));
  }
  return TextModel{std::move(tokenizer), std::move(chat_template), *bos, *eos};
}

}  // namespace

absl::StatusOr<TextModel> LoadTextModel(const std::string& directory, absl::string_view dialect) {
  ASSIGN_OR_RETURN(std::unique_ptr<const Tokenizer> tokenizer,
                   Tokenizer::Load(absl::StrCat(directory, "/tokenizer.json")));
  const std::string path = absl::StrCat(directory, "/tokenizer_config.json");
  ASSIGN_OR_RETURN(const std::string config, ReadTextFile(path));
  auto model = Assemble(std::move(tokenizer), config, dialect);
  if (!model.ok()) return Annotate(model.status(), path);
  return model;
}

}  // namespace shoal
