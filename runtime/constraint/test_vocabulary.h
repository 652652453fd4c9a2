#ifndef SHOAL_RUNTIME_CONSTRAINT_TEST_VOCABULARY_H_
#define SHOAL_RUNTIME_CONSTRAINT_TEST_VOCABULARY_H_

#include <memory>

#include "runtime/base/token_id.h"
#include "runtime/constraint/vocabulary.h"

namespace shoal {

// For tests: id b is byte b; then two special tokens; then a few hundred tokens
// that cross JSON's boundaries, nest, tear characters apart, or equal another.
inline constexpr TokenId kTestEnd = 256;
inline constexpr TokenId kTestEndOfThink = 257;
std::shared_ptr<const Vocabulary> TestVocabulary();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_TEST_VOCABULARY_H_
