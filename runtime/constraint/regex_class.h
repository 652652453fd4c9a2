#ifndef SHOAL_RUNTIME_CONSTRAINT_REGEX_CLASS_H_
#define SHOAL_RUNTIME_CONSTRAINT_REGEX_CLASS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/constraint/code_points.h"

namespace shoal {

// Where a regex is read. The text is checked UTF-8.
struct RegexCursor {
  absl::string_view text;
  size_t at = 0;

  bool is_done() const { return at == text.size(); }
  bool Sees(absl::string_view what) const { return text.substr(at, what.size()) == what; }
  bool Take(absl::string_view what) {
    if (!Sees(what)) return false;
    at += what.size();
    return true;
  }
  // REQUIRES: !is_done().
  uint32_t TakeCodePoint();
  // "at byte N: ...".
  absl::Status Refuse(absl::string_view why) const;
};

// What one element of a regex stands for: a code point, or a class of them.
struct RegexSet {
  CodePoints set;
  std::optional<uint32_t> single;
};

// After a backslash.
absl::StatusOr<RegexSet> ParseRegexEscape(RegexCursor* cursor);
// After "[", to past its "]".
absl::StatusOr<CodePoints> ParseRegexClass(RegexCursor* cursor);
// What "." stands for.
CodePoints RegexDot();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_REGEX_CLASS_H_
