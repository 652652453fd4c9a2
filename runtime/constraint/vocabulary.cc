#include "runtime/constraint/vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace shoal {

absl::StatusOr<std::shared_ptr<const Vocabulary>> Vocabulary::Create(
    absl::Span<const absl::string_view> bytes, std::vector<TokenId> end_tokens) {
  constexpr size_t kLongest = std::numeric_limits<uint16_t>::max();
  std::shared_ptr<Vocabulary> vocabulary(new Vocabulary());
  std::array<bool, 256> is_token = {};
  for (const absl::string_view token : bytes) {
    if (token.size() > kLongest) {
      return absl::InvalidArgumentError(
          absl::StrCat("a token of ", token.size(), " bytes; at most ", kLongest));
    }
    if (token.size() == 1) is_token[static_cast<unsigned char>(token[0])] = true;
    vocabulary->longest_token_ = std::max(vocabulary->longest_token_, token.size());
    vocabulary->places_.push_back(static_cast<uint32_t>(vocabulary->bytes_.size()));
    vocabulary->bytes_.insert(vocabulary->bytes_.end(), token.begin(), token.end());
  }
  vocabulary->places_.push_back(static_cast<uint32_t>(vocabulary->bytes_.size()));
  for (size_t b = 0; b < is_token.size(); ++b) {
    if (!is_token[b]) {
      return absl::InvalidArgumentError(
          absl::StrCat("the vocabulary has no token for byte ", b,
                       " alone, so a constrained text could come to a dead end"));
    }
  }
  if (end_tokens.empty()) return absl::InvalidArgumentError("the vocabulary has no end token");
  for (const TokenId id : end_tokens) {
    if (id < 0 || static_cast<size_t>(id) >= bytes.size() || !bytes[id].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("end token ", id, " is not a special token below ", bytes.size()));
    }
  }
  vocabulary->end_tokens_ = std::move(end_tokens);
  vocabulary->BuildTrie();
  return vocabulary;
}

absl::string_view Vocabulary::BytesOf(TokenId token) const {
  if (token < 0 || static_cast<size_t>(token) >= size()) return {};
  return absl::string_view(bytes_.data() + places_[token], places_[token + 1] - places_[token]);
}

bool Vocabulary::IsEnd(TokenId token) const {
  return std::find(end_tokens_.begin(), end_tokens_.end(), token) != end_tokens_.end();
}

// Tokens in the order of their bytes meet the nodes depth first. Tokens of equal
// bytes get a node each, siblings, so that each is reached.
void Vocabulary::BuildTrie() {
  std::vector<TokenId> ids;
  for (size_t id = 0; id < size(); ++id) {
    if (!BytesOf(static_cast<TokenId>(id)).empty()) ids.push_back(static_cast<TokenId>(id));
  }
  // string_view compares as unsigned bytes.
  std::sort(ids.begin(), ids.end(), [this](TokenId a, TokenId b) {
    const absl::string_view x = BytesOf(a), y = BytesOf(b);
    return x != y ? x < y : a < b;
  });
  nodes_.push_back({.end = 0, .token = kNone, .depth = 0, .byte = 0});
  std::vector<uint32_t> path = {0};  // the open nodes, by depth
  const auto close_to = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) {
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
    }
  };
  absl::string_view last;
  for (const TokenId id : ids) {
    const absl::string_view bytes = BytesOf(id);
    size_t shared = 0;
    while (shared < last.size() && shared < bytes.size() && last[shared] == bytes[shared]) ++shared;
    close_to(std::min(shared, bytes.size() - 1));
    for (size_t depth = path.size(); depth <= bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({.end = 0,
                        .token = depth == bytes.size() ? id : kNone,
                        .depth = static_cast<uint16_t>(depth),
                        .byte = static_cast<uint8_t>(bytes[depth - 1])});
    }
    last = bytes;
  }
  close_to(0);
  nodes_[0].end = static_cast<uint32_t>(nodes_.size());
}

}  // namespace shoal
