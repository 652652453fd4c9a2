#include "runtime/constraint/expr.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace shoal {
namespace {

using Kind = Expr::Kind;

ExprPtr Make(Expr expr) { return std::make_shared<const Expr>(std::move(expr)); }

ExprPtr ByteRange(uint32_t first, uint32_t last) {
  return OneOfBytes(ByteSet::Range(static_cast<int>(first), static_cast<int>(last)));
}

// The UTF-8 of first..last, whose encodings have `tails` bytes after the lead
// byte, as alternatives of byte ranges: a range is cut until, past the first byte
// in which its ends differ, it holds every continuation.
void AddUtf8(uint32_t first, uint32_t last, int tails, std::vector<ExprPtr>* alternatives) {
  for (int i = 1; i <= tails; ++i) {
    const uint32_t mask = (uint32_t{1} << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      AddUtf8(first, first | mask, tails, alternatives);
      AddUtf8((first | mask) + 1, last, tails, alternatives);
      return;
    }
    if ((last & mask) != mask) {
      AddUtf8(first, (last & ~mask) - 1, tails, alternatives);
      AddUtf8(last & ~mask, last, tails, alternatives);
      return;
    }
  }
  constexpr uint32_t kLead[] = {0x00, 0xC0, 0xE0, 0xF0};
  std::vector<ExprPtr> bytes = {
      ByteRange(kLead[tails] | first >> (6 * tails), kLead[tails] | last >> (6 * tails))};
  for (int i = tails - 1; i >= 0; --i) {
    bytes.push_back(ByteRange(0x80 | (first >> (6 * i) & 0x3F), 0x80 | (last >> (6 * i) & 0x3F)));
  }
  alternatives->push_back(Concat(std::move(bytes)));
}

}  // namespace

ExprPtr EmptyText() { return Make({.kind = Kind::kConcat}); }

ExprPtr Literal(absl::string_view bytes) {
  std::vector<ExprPtr> parts;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    parts.push_back(ByteRange(byte, byte));
  }
  return Concat(std::move(parts));
}

ExprPtr OneOfBytes(const ByteSet& bytes) { return Make({.kind = Kind::kBytes, .bytes = bytes}); }

ExprPtr Concat(std::vector<ExprPtr> parts) {
  if (parts.size() == 1) return parts[0];
  return Make({.kind = Kind::kConcat, .parts = std::move(parts)});
}

ExprPtr Alternate(std::vector<ExprPtr> parts) {
  if (parts.size() == 1) return parts[0];
  return Make({.kind = Kind::kAlternate, .parts = std::move(parts)});
}

ExprPtr Repeat(ExprPtr part, int min, int max) {
  return Make({.kind = Kind::kRepeat, .parts = {std::move(part)}, .min = min, .max = max});
}

ExprPtr Optional(ExprPtr part) { return Repeat(std::move(part), 0, 1); }

ExprPtr Call(int rule) { return Make({.kind = Kind::kCall, .rule = rule}); }

ExprPtr OneOfCodePoints(const CodePoints& set) {
  // By the number of continuation bytes: the last code point that it holds.
  constexpr uint32_t kLastOf[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  std::vector<ExprPtr> alternatives;
  for (const CodePoints::Range& range : set.ranges()) {
    uint32_t first = range.first;
    for (int tails = 0; tails < 4 && first <= range.last; ++tails) {
      if (first > kLastOf[tails]) continue;
      const uint32_t last = std::min(range.last, kLastOf[tails]);
      AddUtf8(first, last, tails, &alternatives);
      first = last + 1;
    }
  }
  return Alternate(std::move(alternatives));
}

ExprPtr Members(ExprPtr separator, const std::vector<ExprMember>& members) {
  Expr expr = {.kind = Kind::kMembers, .separator = std::move(separator)};
  for (const ExprMember& member : members) {
    expr.parts.push_back(member.expr);
    expr.is_required.push_back(member.is_required);
  }
  return Make(std::move(expr));
}

}  // namespace shoal
