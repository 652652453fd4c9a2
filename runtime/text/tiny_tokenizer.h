// For tests: the smallest tokenizer.json with all that a real one has.

#ifndef SHOAL_RUNTIME_TEXT_TINY_TOKENIZER_H_
#define SHOAL_RUNTIME_TEXT_TINY_TOKENIZER_H_

#include "nlohmann/json.hpp"

namespace shoal {

// Id b is byte b; 256 is "hi", the only merge. From 260 on the added tokens:
// <｜User｜>, <think>, </think>, then the tool markers calls begin, calls end,
// call begin, call end and sep. DeepSeek-V3's pre-tokenizer.
nlohmann::json TinyTokenizerJson();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TINY_TOKENIZER_H_
