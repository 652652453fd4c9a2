#include "runtime/constraint/json_text.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "runtime/text/utf8.h"

namespace shoal {
namespace {

ByteSet BytesOf(absl::string_view bytes) {
  ByteSet set;
  for (const char c : bytes) set.Add(static_cast<unsigned char>(c));
  return set;
}

ExprPtr OneOf(absl::string_view bytes) { return OneOfBytes(BytesOf(bytes)); }

ExprPtr Digit(char first = '0', char last = '9') { return OneOfBytes(ByteSet::Range(first, last)); }

ExprPtr Hex() { return OneOf("0123456789abcdefABCDEF"); }

// A character and the letter of its short escape.
constexpr struct {
  char character;
  char letter;
} kShortEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                     {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};

CodePoints NeedsEscape() {
  CodePoints set = CodePoints::Of(0, 0x1F);
  set.Add(CodePoints::Of('"', '"'));
  set.Add(CodePoints::Of('\\', '\\'));
  return set;
}

// The texts between two numbers of equally many digits.
ExprPtr DigitsBetween(absl::string_view first, absl::string_view last) {
  if (first.empty()) return EmptyText();
  const auto rest = static_cast<int>(first.size()) - 1;
  const std::string zeros(rest, '0'), nines(rest, '9');
  if (first.substr(1) == zeros && last.substr(1) == nines) {
    return Concat({Digit(first[0], last[0]), Repeat(Digit(), rest, rest)});
  }
  if (first[0] == last[0]) {
    return Concat({Digit(first[0], first[0]), DigitsBetween(first.substr(1), last.substr(1))});
  }
  std::vector<ExprPtr> alternatives = {
      Concat({Digit(first[0], first[0]), DigitsBetween(first.substr(1), nines)}),
      Concat({Digit(last[0], last[0]), DigitsBetween(zeros, last.substr(1))})};
  if (last[0] - first[0] > 1) {
    alternatives.push_back(
        Concat({Digit(static_cast<char>(first[0] + 1), static_cast<char>(last[0] - 1)),
                Repeat(Digit(), rest, rest)}));
  }
  return Alternate(std::move(alternatives));
}

// Of first..last >= 0: those of each number of digits apart.
void AddMagnitudes(int64_t first, int64_t last, absl::string_view sign,
                   std::vector<ExprPtr>* alternatives) {
  int64_t least = 0;
  for (int64_t greatest = 9; first <= last; greatest = greatest * 10 + 9) {
    if (first <= greatest) {
      const int64_t a = std::max(first, least), b = std::min(last, greatest);
      alternatives->push_back(
          Concat({Literal(sign), DigitsBetween(absl::StrCat(a), absl::StrCat(b))}));
    }
    if (last <= greatest) return;
    least = greatest + 1;
  }
}

// The names by their code points.
struct NameTrie {
  std::map<uint32_t, NameTrie> children;
  bool is_name = false;

  void Add(absl::string_view rest) {
    if (rest.empty()) {
      is_name = true;
      return;
    }
    size_t length;
    const uint32_t code_point = DecodeUtf8(rest.data(), &length);
    children[code_point].Add(rest.substr(length));
  }

  // What follows up to the closing quote so that no name comes of it.
  ExprPtr Other() const {
    CodePoints others = CodePoints::All();
    std::vector<ExprPtr> alternatives;
    for (const auto& [code_point, child] : children) {
      const CodePoints one = CodePoints::Of(code_point, code_point);
      others = others.Minus(one);
      alternatives.push_back(Concat({JsonCharacter(one), child.Other()}));
    }
    alternatives.push_back(
        Concat({JsonCharacter(others),
                Repeat(JsonCharacter(CodePoints::All()), 0, Expr::kUnbounded), Literal("\"")}));
    if (!is_name) alternatives.push_back(Literal("\""));
    return Alternate(std::move(alternatives));
  }
};

}  // namespace

ExprPtr JsonCharacter(const CodePoints& set) {
  std::vector<ExprPtr> alternatives;
  const CodePoints as_itself = set.Minus(NeedsEscape());
  if (!as_itself.empty()) alternatives.push_back(OneOfCodePoints(as_itself));
  CodePoints controls = set.And(CodePoints::Of(0, 0x1F));
  ByteSet letters;
  for (const auto& [character, letter] : kShortEscapes) {
    const auto c = static_cast<unsigned char>(character);
    if (set.Has(c)) letters.Add(letter);
    controls = controls.Minus(CodePoints::Of(c, c));
  }
  if (!letters.empty()) alternatives.push_back(Concat({Literal("\\"), OneOfBytes(letters)}));
  for (uint32_t high = 0; high < 2; ++high) {
    ByteSet low_digits;
    for (uint32_t low = 0; low < 16; ++low) {
      if (controls.Has(high * 16 + low)) low_digits.Add("0123456789abcdef"[low]);
    }
    if (low_digits.empty()) continue;
    alternatives.push_back(Concat({Literal(absl::StrCat("\\u00", high)), OneOfBytes(low_digits)}));
  }
  return Alternate(std::move(alternatives));
}

ExprPtr AnyJsonCharacter() {
  const ExprPtr u = Literal("\\u"), d = OneOf("dD"), hex = Hex();
  return Alternate({
      OneOfCodePoints(CodePoints::All().Minus(NeedsEscape())),
      Concat({Literal("\\"), OneOf("\"\\/bfnrt")}),
      Concat({u, OneOf("0123456789abcefABCEF"), hex, hex, hex}),
      Concat({u, d, Digit('0', '7'), hex, hex}),
      Concat({u, d, OneOf("89abAB"), hex, hex, u, d, OneOf("cdefCDEF"), hex, hex}),
  });
}

ExprPtr JsonString(ExprPtr content) {
  return Concat({Literal("\""), std::move(content), Literal("\"")});
}

ExprPtr JsonStringOtherThan(const std::vector<std::string>& names) {
  NameTrie trie;
  for (const std::string& name : names) trie.Add(name);
  return Concat({Literal("\""), trie.Other()});
}

ExprPtr JsonInteger(int64_t first, int64_t last) {
  std::vector<ExprPtr> alternatives;
  if (first < 0) AddMagnitudes(std::max<int64_t>(1, -last), -first, "-", &alternatives);
  if (last >= 0) AddMagnitudes(std::max<int64_t>(0, first), last, "", &alternatives);
  return Alternate(std::move(alternatives));
}

ExprPtr JsonNumber() {
  return Concat({Optional(Literal("-")),
                 Alternate({Literal("0"), Concat({Digit('1', '9'), Repeat(Digit(), 0, 17)})}),
                 Optional(Concat({Literal("."), Repeat(Digit(), 1, 18)})),
                 Optional(Concat({OneOf("eE"), Optional(OneOf("+-")), Repeat(Digit(), 1, 2)}))});
}

}  // namespace shoal
