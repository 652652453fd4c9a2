// In what DeepSeek's chat templates differ from each other, as data.

#ifndef SHOAL_RUNTIME_TEXT_CHAT_DIALECT_H_
#define SHOAL_RUNTIME_TEXT_CHAT_DIALECT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct ChatDialect {
  absl::string_view name;
  // Of the Jinja template, see ChatTemplateDigest.
  absl::string_view template_digest;
  // System messages are joined by a blank line; otherwise the last one wins.
  bool joins_system_messages;
  // An assistant turn keeps only what follows its last "</think>".
  bool drops_old_reasoning;
  // An assistant turn can have content and tool calls.
  bool allows_content_beside_calls;
  // Tool calls are always closed; otherwise after each call but the
  // conversation's first (which is how V3's template is, and what it is asked
  // to continue from).
  bool always_closes_calls;
  // A newline stands between the outputs of tools.
  bool has_newline_between_outputs;
  // The generation prompt ends with "<think>\n".
  bool opens_reasoning;
};

// SHA-256, in hex, of a Jinja template in which each \n escape has been
// replaced by a newline: within Jinja's string literals the two are the same,
// and published copies differ in nothing else.
std::string ChatTemplateDigest(absl::string_view jinja);

// "deepseek-v3", "deepseek-r1" or "deepseek-r1-distill";
// otherwise InvalidArgument with the known names.
absl::StatusOr<ChatDialect> ChatDialectByName(absl::string_view name);

// The dialect of a Jinja template; InvalidArgument with its digest if it is
// none that we render.
absl::StatusOr<ChatDialect> RecogniseChatDialect(absl::string_view jinja);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_CHAT_DIALECT_H_
