#include "runtime/text/split_patterns.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/strict_json.h"
#include "runtime/text/deepseek_scanner.h"

namespace shoal {
namespace {

constexpr absl::string_view kUpToThreeDigits = R"(\p{N}{1,3})";
constexpr absl::string_view kOneDigit = R"(\p{N})";
constexpr absl::string_view kKanaHanRun = "[一-龥぀-ゟ゠-ヿ]+";
constexpr absl::string_view kDeepSeekWords =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+"
    "|\\s+(?!\\S)"
    "|\\s+";

std::unique_ptr<const PreTokenizer> DeepSeekUpToThreeDigits() {
  return std::make_unique<DeepSeekScanner>(/*max_digits=*/3);
}
std::unique_ptr<const PreTokenizer> DeepSeekOneDigit() {
  return std::make_unique<DeepSeekScanner>(/*max_digits=*/1);
}

struct KnownSequence {
  std::vector<absl::string_view> patterns;
  std::unique_ptr<const PreTokenizer> (*make)();
};

std::vector<KnownSequence> KnownSequences() {
  return {
      // DeepSeek-V3, R1.
      {{kUpToThreeDigits, kKanaHanRun, kDeepSeekWords}, DeepSeekUpToThreeDigits},
      // The small model that ships: arithmetic wants one token per digit.
      {{kOneDigit, kKanaHanRun, kDeepSeekWords}, DeepSeekOneDigit},
  };
}

size_t CommonPrefix(const std::vector<std::string>& patterns,
                    const std::vector<absl::string_view>& known) {
  size_t n = 0;
  while (n < patterns.size() && n < known.size() && patterns[n] == known[n]) {
    ++n;
  }
  return n;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const PreTokenizer>> CompilePreTokenizer(
    const std::vector<std::string>& patterns) {
  size_t furthest = 0;
  for (const KnownSequence& known : KnownSequences()) {
    const size_t common = CommonPrefix(patterns, known.patterns);
    if (common == patterns.size() && common == known.patterns.size()) {
      return known.make();
    }
    furthest = std::max(furthest, common);
  }
  if (furthest == patterns.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pre_tokenizer: splits end after ", patterns.size(), " patterns; no known sequence does"));
  }
  return absl::InvalidArgumentError(absl::StrCat("pre_tokenizer: split ", furthest,
                                                 " has the pattern '", Shown(patterns[furthest]),
                                                 "', which no known sequence has in that place"));
}

}  // namespace shoal
