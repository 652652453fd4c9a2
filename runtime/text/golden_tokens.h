// For tests: the real DeepSeek-V3 tokenizer, and digests of ids.

#ifndef SHOAL_RUNTIME_TEXT_GOLDEN_TOKENS_H_
#define SHOAL_RUNTIME_TEXT_GOLDEN_TOKENS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

// A file of runtime/text/testdata; ends the test if it is not there.
std::string TestData(absl::string_view name);

// The real V3 tokenizer; loaded once and kept.
const Tokenizer& DeepSeekV3Tokenizer();

// R1's: V3's with two placeholders named <think> and </think>.
const Tokenizer& DeepSeekR1Tokenizer();

// The first 16 hex digits of SHA-256 over the ids as little-endian 32-bit
// words, as the oracle scripts write it.
std::string IdDigest(absl::Span<const TokenId> ids);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_GOLDEN_TOKENS_H_
