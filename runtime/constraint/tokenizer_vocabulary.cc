#include "runtime/constraint/tokenizer_vocabulary.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal {

absl::StatusOr<std::shared_ptr<const Vocabulary>> VocabularyOf(const Tokenizer& tokenizer,
                                                               size_t num_ids,
                                                               std::vector<TokenId> end_tokens) {
  if (tokenizer.vocab_size() > num_ids) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer has ", tokenizer.vocab_size(), " ids, the model ", num_ids));
  }
  std::vector<absl::string_view> bytes(num_ids);
  for (size_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!tokenizer.IsAdded(id)) bytes[i] = tokenizer.TokenBytes(id);
  }
  return Vocabulary::Create(bytes, std::move(end_tokens));
}

}  // namespace shoal
