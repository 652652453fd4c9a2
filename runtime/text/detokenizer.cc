#include "runtime/text/detokenizer.h"

#include "absl/strings/str_cat.h"

#include "runtime/text/utf8.h"

namespace shoal {

std::string Detokenizer::Push(TokenId id) {
  std::string text;
  Push(absl::MakeConstSpan(&id, 1), &text);
  return text;
}

void Detokenizer::Push(absl::Span<const TokenId> ids, std::string* text) {
  while (!ids.empty()) {
    if (pending_.empty()) ids.remove_prefix(tokenizer_.token_text().AppendWhole(ids, text));
    if (ids.empty()) return;
    absl::StrAppend(&pending_, tokenizer_.TokenBytes(ids[0]));
    TakeWholeUtf8(/*final=*/false, &pending_, text);
    ids.remove_prefix(1);
  }
}

std::string Detokenizer::Flush() {
  std::string text;
  TakeWholeUtf8(/*final=*/true, &pending_, &text);
  return text;
}

}  // namespace shoal
