// From the split patterns in a tokenizer.json to the scanner that does the same.

#ifndef SHOAL_RUNTIME_TEXT_SPLIT_PATTERNS_H_
#define SHOAL_RUNTIME_TEXT_SPLIT_PATTERNS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "runtime/text/pre_tokenizer.h"

namespace shoal {

// A sequence of regular expressions is recognised by its exact text. A model
// family with other expressions is one more scanner and one more row in
// split_patterns.cc.
//
// The scanner for splitting by `patterns` one after the other, each match and
// each gap between matches a piece of its own ("Isolated"). InvalidArgument
// naming the first pattern that no known sequence has in its place.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> CompilePreTokenizer(
    const std::vector<std::string>& patterns);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_SPLIT_PATTERNS_H_
