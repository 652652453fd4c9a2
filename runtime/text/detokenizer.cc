#include "runtime/text/detokenizer.h"

#include "absl/strings/string_view.h"

#include "runtime/text/utf8.h"

namespace shoal {

std::string Detokenizer::Push(TokenId id) {
  if (pending_.empty() && tokenizer_.token_text().IsWhole(id)) {
    return std::string(tokenizer_.TokenBytes(id));
  }
  std::string text;
  Push(absl::MakeConstSpan(&id, 1), &text);
  return text;
}

void Detokenizer::Push(absl::Span<const TokenId> ids, std::string* text) {
  size_t whole = text->size();
  text->append(pending_);
  const size_t appended = tokenizer_.token_text().Append(ids, text);
  if (pending_.empty()) whole += appended;
  whole += WholeUtf8Length(absl::string_view(*text).substr(whole));
  pending_.assign(*text, whole);
  if (pending_.empty()) return;
  text->resize(whole);
  TakeWholeUtf8(/*final=*/false, &pending_, text);
}

std::string Detokenizer::Flush() {
  std::string text;
  TakeWholeUtf8(/*final=*/true, &pending_, &text);
  return text;
}

}  // namespace shoal
