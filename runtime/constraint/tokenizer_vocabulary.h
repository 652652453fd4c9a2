#ifndef SHOAL_RUNTIME_CONSTRAINT_TOKENIZER_VOCABULARY_H_
#define SHOAL_RUNTIME_CONSTRAINT_TOKENIZER_VOCABULARY_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"

#include "runtime/base/token_id.h"
#include "runtime/constraint/vocabulary.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

// A tokenizer's tokens as a vocabulary of a model with `num_ids` logits (its
// embeddings may be padded). Added tokens are never allowed, `end_tokens` where a
// text can end. INVALID_ARGUMENT as Vocabulary::Create, and if the tokenizer has
// more ids than the model.
absl::StatusOr<std::shared_ptr<const Vocabulary>> VocabularyOf(const Tokenizer& tokenizer,
                                                               size_t num_ids,
                                                               std::vector<TokenId> end_tokens);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_TOKENIZER_VOCABULARY_H_
