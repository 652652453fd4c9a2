#include "runtime/text/detokenizer.h"

#include "absl/strings/str_cat.h"

#include "runtime/text/utf8.h"

namespace shoal {

std::string Detokenizer::Push(TokenId id) {
  absl::StrAppend(&pending_, tokenizer_.TokenBytes(id));
  std::string text;
  TakeWholeUtf8(/*final=*/false, &pending_, &text);
  return text;
}

std::string Detokenizer::Flush() {
  std::string text;
  TakeWholeUtf8(/*final=*/true, &pending_, &text);
  return text;
}

}  // namespace shoal
