#include "runtime/text/bpe/closed_characters.h"

#include <algorithm>

#include "runtime/text/utf8.h"

namespace shoal {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// For each token the earliest rule by which a neighbour from outside a
// character could take it, if it is that character's edge.
struct FirstTaken {
  std::vector<uint32_t> from_left;   // the token begins the character
  std::vector<uint32_t> from_right;  // the token ends it: so no continuation follows
};

FirstTaken FirstTakenOf(const std::vector<std::string>& token_bytes, const MergeTable& table) {
  FirstTaken first;
  first.from_left.assign(token_bytes.size(), MergeTable::kNoRank);
  first.from_right.assign(token_bytes.size(), MergeTable::kNoRank);
  for (size_t rank = table.rules().size(); rank-- > 0;) {
    const MergeTable::Rule& rule = table.rules()[rank];
    first.from_left[static_cast<size_t>(rule.right)] = static_cast<uint32_t>(rank);
    if (!IsContinuation(token_bytes[static_cast<size_t>(rule.right)][0])) {
      first.from_right[static_cast<size_t>(rule.left)] = static_cast<uint32_t>(rank);
    }
  }
  return first;
}

bool IsClosed(TokenId character, const MergeTable& table, const MergeOrder& order,
              const FirstTaken& first) {
  for (TokenId edge = character; order.MadeBy(edge) >= 0;) {
    const auto taken_by = static_cast<uint32_t>(order.MadeBy(edge));
    edge = table.rules()[taken_by].left;
    if (first.from_left[static_cast<size_t>(edge)] <= taken_by) return false;
  }
  for (TokenId edge = character; order.MadeBy(edge) >= 0;) {
    const auto taken_by = static_cast<uint32_t>(order.MadeBy(edge));
    edge = table.rules()[taken_by].right;
    if (first.from_right[static_cast<size_t>(edge)] <= taken_by) return false;
  }
  return order.IsReachable(character);
}

}  // namespace

ClosedCharacters::ClosedCharacters(const std::vector<std::string>& token_bytes,
                                   const MergeTable& table, const MergeOrder& order)
    : characters_(kCodePoints, -1) {
  const FirstTaken first = FirstTakenOf(token_bytes, table);
  for (size_t id = 0; id < token_bytes.size(); ++id) {
    const std::string& bytes = token_bytes[id];
    const auto token = static_cast<TokenId>(id);
    if (bytes.size() == 1) byte_tokens_[static_cast<unsigned char>(bytes[0])] = token;
    if (bytes.size() < 2 || bytes.size() > 4) continue;
    const Utf8Prefix prefix = NextUtf8(bytes);
    if (prefix.kind != Utf8Prefix::Kind::kWhole || prefix.length != bytes.size()) continue;
    size_t length;
    const uint32_t c = DecodeUtf8(bytes.data(), &length);
    if (c < kCodePoints && order.well_founded() && IsClosed(token, table, order, first)) {
      characters_[c] = token;
    }
  }
}

size_t ClosedCharacters::Start(absl::string_view piece, TokenId* tokens) const {
  const TokenId* const begin = tokens;
  const char* const end = piece.data() + piece.size();
  size_t length;
  for (const char* p = piece.data(); p < end; p += length) {
    const uint32_t c = DecodeUtf8(p, &length);
    if (length > 1 && c < kCodePoints && characters_[c] >= 0) {
      *tokens++ = characters_[c];
      continue;
    }
    for (size_t i = 0; i < length; ++i) *tokens++ = byte_tokens_[static_cast<unsigned char>(p[i])];
  }
  return static_cast<size_t>(tokens - begin);
}

void ClosedCharacters::AppendStart(absl::string_view piece, std::vector<TokenId>* tokens) const {
  const size_t before = tokens->size();
  tokens->resize(before + piece.size());
  tokens->resize(before + Start(piece, tokens->data() + before));
}

void ClosedCharacters::AppendBytes(absl::string_view piece, std::vector<TokenId>* tokens) const {
  for (const char c : piece) tokens->push_back(byte_tokens_[static_cast<unsigned char>(c)]);
}

}  // namespace shoal
