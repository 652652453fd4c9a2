#ifndef SHOAL_TESTS_FUZZ_JSON_MUTATOR_H_
#define SHOAL_TESTS_FUZZ_JSON_MUTATOR_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal::fuzz {

// `text` with one to three of its JSON values replaced, removed, copied elsewhere or bent; empty
// where it is no JSON.  By single bytes the fuzzer would hardly ever turn one valid document into
// another.
std::string MutateJson(absl::string_view text, unsigned seed);

// For LLVMFuzzerCustomMutator: libFuzzer's own mutations every other time, and where the input is
// no JSON.
size_t MutateInput(uint8_t* data, size_t size, size_t max_size, unsigned seed);

// The same of the part [begin, end) of the input, with the rest as it is.
std::string MutatePart(absl::string_view input, size_t begin, size_t end, unsigned seed);

// Puts `input` into place if it fits; otherwise, or if it is empty, libFuzzer's own mutations.
size_t Replace(uint8_t* data, size_t size, size_t max_size, absl::string_view input);

}  // namespace shoal::fuzz

#endif  // SHOAL_TESTS_FUZZ_JSON_MUTATOR_H_
