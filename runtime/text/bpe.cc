#include "runtime/text/bpe.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

// Up to this many bytes the quadratic loop over an array on the stack beats the
// heap.
constexpr size_t kShortPiece = 48;

uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// One token of a long piece, in a list linked by index. A token that has been
// merged into its left neighbour has id -1.
struct Node {
  TokenId id;
  int32_t previous;
  int32_t next;
};

// A pair that could be merged when it was pushed; stale once either side
// changed.
struct Candidate {
  int32_t rank;
  int32_t left_node;
  TokenId left;
  TokenId right;
  TokenId merged;

  // For a heap with the lowest rank, then the leftmost, on top.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left_node > other.left_node;
  }
};

}  // namespace

absl::StatusOr<Bpe> Bpe::Create(const std::vector<std::string>& token_bytes,
                                const std::vector<MergeRule>& rules) {
  Bpe bpe;
  bpe.byte_tokens_.fill(-1);
  for (size_t id = 0; id < token_bytes.size(); ++id) {
    if (token_bytes[id].size() != 1) continue;
    const auto byte = static_cast<unsigned char>(token_bytes[id][0]);
    bpe.byte_tokens_[byte] = static_cast<TokenId>(id);
  }
  for (size_t byte = 0; byte < bpe.byte_tokens_.size(); ++byte) {
    if (bpe.byte_tokens_[byte] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("model.vocab: no token for byte ", byte));
    }
  }
  RETURN_IF_ERROR(bpe.AddRules(token_bytes, rules));
  bpe.FindWords(token_bytes);
  return bpe;
}

absl::Status Bpe::AddRules(const std::vector<std::string>& token_bytes,
                           const std::vector<MergeRule>& rules) {
  const auto bytes_of = [&](TokenId id) -> absl::string_view {
    if (id < 0 || static_cast<size_t>(id) >= token_bytes.size()) return "";
    return token_bytes[static_cast<size_t>(id)];
  };
  merges_.reserve(rules.size());
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    const MergeRule& rule = rules[rank];
    const absl::string_view left = bytes_of(rule.left);
    const absl::string_view right = bytes_of(rule.right);
    const absl::string_view merged = bytes_of(rule.merged);
    const bool joins_up =
        !left.empty() && !right.empty() && merged.size() == left.size() + right.size() &&
        merged.substr(0, left.size()) == left && merged.substr(left.size()) == right;
    if (!joins_up) {
      return absl::InvalidArgumentError(absl::StrCat("model.merges[", rank, "]: tokens ", rule.left,
                                                     " and ", rule.right,
                                                     " do not join up to token ", rule.merged));
    }
    const Merge merge = {static_cast<int32_t>(rank), rule.merged};
    const auto [it, is_new] = merges_.emplace(PairKey(rule.left, rule.right), merge);
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.merges[", rank, "]: the same pair as merges[", it->second.rank, "]"));
    }
  }
  return absl::OkStatus();
}

void Bpe::FindWords(const std::vector<std::string>& token_bytes) {
  absl::flat_hash_map<std::string, TokenId> words;
  words.reserve(token_bytes.size());
  std::vector<TokenId> ids;
  for (size_t id = 0; id < token_bytes.size(); ++id) {
    if (token_bytes[id].empty()) continue;
    ids.clear();
    Encode(token_bytes[id], &ids);
    if (ids.size() != 1 || ids[0] != static_cast<TokenId>(id)) continue;
    words.emplace(token_bytes[id], ids[0]);
    longest_word_ = std::max(longest_word_, token_bytes[id].size());
  }
  words_ = std::move(words);
}

Bpe::Merge Bpe::Find(TokenId left, TokenId right) const {
  const auto it = merges_.find(PairKey(left, right));
  return it == merges_.end() ? kNoMerge : it->second;
}

void Bpe::Encode(absl::string_view piece, std::vector<TokenId>* ids) const {
  if (piece.size() <= longest_word_) {
    const auto it = words_.find(piece);
    if (it != words_.end()) {
      ids->push_back(it->second);
      return;
    }
  }
  if (piece.size() <= kShortPiece) {
    EncodeShort(piece, ids);
  } else {
    EncodeLong(piece, ids);
  }
}

void Bpe::EncodeShort(absl::string_view piece, std::vector<TokenId>* ids) const {
  std::array<TokenId, kShortPiece> tokens;
  std::array<Merge, kShortPiece> merges;  // of tokens[i] and tokens[i + 1]
  size_t n = piece.size();
  for (size_t i = 0; i < n; ++i) {
    tokens[i] = byte_tokens_[static_cast<unsigned char>(piece[i])];
  }
  for (size_t i = 0; i + 1 < n; ++i) {
    merges[i] = Find(tokens[i], tokens[i + 1]);
  }
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoMerge.rank) break;
    tokens[best] = merges[best].merged;
    --n;
    std::copy(tokens.begin() + best + 2, tokens.begin() + n + 1, tokens.begin() + best + 1);
    std::copy(merges.begin() + best + 1, merges.begin() + n, merges.begin() + best);
    if (best + 1 < n) merges[best] = Find(tokens[best], tokens[best + 1]);
    if (best > 0) merges[best - 1] = Find(tokens[best - 1], tokens[best]);
  }
  ids->insert(ids->end(), tokens.begin(), tokens.begin() + n);
}

void Bpe::EncodeLong(absl::string_view piece, std::vector<TokenId>* ids) const {
  const auto n = static_cast<int32_t>(piece.size());
  std::vector<Node> nodes(piece.size());
  std::vector<Candidate> heap_storage;
  heap_storage.reserve(piece.size());
  std::priority_queue<Candidate> heap(std::less<Candidate>(), std::move(heap_storage));
  const auto push = [&](int32_t left_node) {
    if (left_node < 0 || nodes[left_node].next >= n) return;
    const TokenId left = nodes[left_node].id;
    const TokenId right = nodes[nodes[left_node].next].id;
    const Merge merge = Find(left, right);
    if (merge.rank == kNoMerge.rank) return;
    heap.push({merge.rank, left_node, left, right, merge.merged});
  };
  for (int32_t i = 0; i < n; ++i) {
    nodes[i] = {byte_tokens_[static_cast<unsigned char>(piece[i])], i - 1, i + 1};
  }
  for (int32_t i = 0; i < n; ++i) push(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Node& left = nodes[best.left_node];
    if (left.id != best.left || left.next >= n) continue;
    Node& right = nodes[left.next];
    if (right.id != best.right) continue;
    left.id = best.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next < n) nodes[left.next].previous = best.left_node;
    push(left.previous);
    push(best.left_node);
  }
  for (int32_t i = 0; i < n; i = nodes[i].next) ids->push_back(nodes[i].id);
}

void Bpe::EncodeNaively(absl::string_view piece, std::vector<TokenId>* ids) const {
  std::vector<TokenId> tokens;
  for (const char c : piece) {
    tokens.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  }
  while (true) {
    Merge best = kNoMerge;
    size_t at = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const Merge merge = Find(tokens[i], tokens[i + 1]);
      if (merge.rank < best.rank) {
        best = merge;
        at = i;
      }
    }
    if (best.rank == kNoMerge.rank) break;
    tokens[at] = best.merged;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  ids->insert(ids->end(), tokens.begin(), tokens.end());
}

}  // namespace shoal
