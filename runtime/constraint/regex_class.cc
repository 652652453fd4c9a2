#include "runtime/constraint/regex_class.h"

#include <initializer_list>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

CodePoints Union(std::initializer_list<CodePoints> sets) {
  CodePoints all;
  for (const CodePoints& set : sets) all.Add(set);
  return all;
}

CodePoints Digits() { return CodePoints::Of('0', '9'); }

CodePoints WordCharacters() {
  return Union(
      {Digits(), CodePoints::Of('A', 'Z'), CodePoints::Of('a', 'z'), CodePoints::Of('_', '_')});
}

CodePoints AsciiSpaces() { return Union({CodePoints::Of('\t', '\r'), CodePoints::Of(' ', ' ')}); }

// All that any dialect calls a space.
CodePoints AnySpaces() {
  return Union({AsciiSpaces(), CodePoints::Of(0x1C, 0x1F), CodePoints::Of(0x85, 0x85),
                CodePoints::Of(0xA0, 0xA0), CodePoints::Of(0x1680, 0x1680),
                CodePoints::Of(0x180E, 0x180E), CodePoints::Of(0x2000, 0x200A),
                CodePoints::Of(0x2028, 0x2029), CodePoints::Of(0x202F, 0x202F),
                CodePoints::Of(0x205F, 0x205F), CodePoints::Of(0x3000, 0x3000),
                CodePoints::Of(0xFEFF, 0xFEFF)});
}

RegexSet Single(uint32_t code_point) {
  return {CodePoints::Of(code_point, code_point), code_point};
}

absl::StatusOr<RegexSet> ParseHex(RegexCursor* cursor, size_t digits) {
  uint32_t value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = cursor->is_done() ? '\0' : cursor->text[cursor->at];
    if (!absl::ascii_isxdigit(c)) {
      return cursor->Refuse(absl::StrCat("expected ", digits, " hexadecimal digits"));
    }
    value = value * 16 + static_cast<uint32_t>(
                             absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
    ++cursor->at;
  }
  RegexSet parsed = Single(value);
  if (parsed.set.empty()) return cursor->Refuse("a surrogate is no character");
  return parsed;
}

}  // namespace

uint32_t RegexCursor::TakeCodePoint() {
  size_t length;
  const uint32_t code_point = DecodeUtf8(text.data() + at, &length);
  at += length;
  return code_point;
}

absl::Status RegexCursor::Refuse(absl::string_view why) const {
  return absl::InvalidArgumentError(absl::StrCat("at byte ", at, ": ", why));
}

CodePoints RegexDot() {
  return CodePoints::All().Minus(Union(
      {CodePoints::Of('\n', '\n'), CodePoints::Of('\r', '\r'), CodePoints::Of(0x2028, 0x2029)}));
}

absl::StatusOr<RegexSet> ParseRegexEscape(RegexCursor* cursor) {
  if (cursor->is_done()) return cursor->Refuse("a backslash at the end");
  const size_t start = cursor->at;
  const uint32_t c = cursor->TakeCodePoint();
  switch (c) {
    case 'd':
      return RegexSet{Digits(), std::nullopt};
    case 'D':
      return RegexSet{Digits().Complement(), std::nullopt};
    case 'w':
      return RegexSet{WordCharacters(), std::nullopt};
    case 'W':
      return RegexSet{WordCharacters().Complement(), std::nullopt};
    // Each the part on which the dialects agree.
    case 's':
      return RegexSet{AsciiSpaces(), std::nullopt};
    case 'S':
      return RegexSet{AnySpaces().Complement(), std::nullopt};
    case 'n':
      return Single('\n');
    case 'r':
      return Single('\r');
    case 't':
      return Single('\t');
    case 'f':
      return Single('\f');
    case 'v':
      return Single('\v');
    case 'x':
      return ParseHex(cursor, 2);
    case 'u':
      return ParseHex(cursor, 4);
    default:
      break;
  }
  if (c < 0x80 && absl::ascii_ispunct(static_cast<unsigned char>(c))) return Single(c);
  const std::string escape = Shown(cursor->text.substr(start, cursor->at - start));
  cursor->at = start;
  return cursor->Refuse(absl::StrCat(
      "\\", escape,
      " is not supported; accepted are \\d \\D \\w \\W \\s \\S \\n \\r \\t \\f \\v \\xHH \\uHHHH "
      "and a backslash before ASCII punctuation (no back-references, no \\b, no \\p)"));
}

absl::StatusOr<CodePoints> ParseRegexClass(RegexCursor* cursor) {
  const bool is_negated = cursor->Take("^");
  CodePoints set;
  for (bool is_first = true; is_first || !cursor->Sees("]"); is_first = false) {
    if (cursor->is_done()) return cursor->Refuse("a [ without its ]");
    if (cursor->Sees("[") || (is_first && cursor->Sees("]"))) {
      return cursor->Refuse("inside [...], write \\[ and \\] for brackets");
    }
    if (cursor->Sees("-") && !is_first && !cursor->Sees("-]")) {
      return cursor->Refuse("inside [...], write \\- for a hyphen that is no range");
    }
    const auto element = [cursor]() -> absl::StatusOr<RegexSet> {
      if (cursor->Take("\\")) return ParseRegexEscape(cursor);
      return Single(cursor->TakeCodePoint());
    };
    ASSIGN_OR_RETURN(const RegexSet first, element());
    if (!cursor->Sees("-") || cursor->Sees("-]")) {
      set.Add(first.set);
      continue;
    }
    cursor->Take("-");
    if (cursor->is_done()) return cursor->Refuse("a [ without its ]");
    ASSIGN_OR_RETURN(const RegexSet last, element());
    if (!first.single.has_value() || !last.single.has_value()) {
      return cursor->Refuse("a range runs between two characters, not classes");
    }
    if (*first.single > *last.single) {
      return cursor->Refuse(absl::StrCat("a range from U+",
                                         absl::Hex(*first.single, absl::kZeroPad4), " down to U+",
                                         absl::Hex(*last.single, absl::kZeroPad4)));
    }
    set.Add(CodePoints::Of(*first.single, *last.single));
  }
  cursor->Take("]");
  return is_negated ? set.Complement() : set;
}

}  // namespace shoal
