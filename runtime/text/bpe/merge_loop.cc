#include "runtime/text/bpe/merge_loop.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace shoal {
namespace {

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
  uint32_t rank;
  int32_t left_node;

  // For a heap with the lowest rank, then the leftmost, on top.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left_node > other.left_node;
  }
};

}  // namespace

ShortMerge::ShortMerge(const MergeTable& table, const TokenId* tokens, size_t n) : n_(n) {
  // Of the pair that begins at i: its rank, then i, in one number.
  constexpr int kPlaceBits = 6;
  static_assert(kMax == size_t{1} << kPlaceBits);
  constexpr uint32_t kNoPair = MergeTable::kNoRank << kPlaceBits;
  std::array<uint32_t, kMax + 2> pairs;
  std::array<uint8_t, kMax + 1> previous;
  // A token that is in no pair stands at both ends, so that no merge is at one.
  constexpr size_t kFront = kMax + 1;
  constexpr TokenId kNoToken = MergeTable::kNoRank;
  const auto look_up = [&](size_t left, size_t right) {
    pairs[left] =
        table.Rank(tokens_[left], tokens_[right]) << kPlaceBits | static_cast<uint32_t>(left);
  };
  std::copy(tokens, tokens + n, tokens_.begin());
  tokens_[n] = tokens_[kFront] = kNoToken;
  for (size_t i = 0; i < n; ++i) {
    next_[i] = static_cast<uint8_t>(i + 1);
    previous[i] = static_cast<uint8_t>(i - 1);
    look_up(i, i + 1);
  }
  previous[0] = kFront;
  steps_ = n;
  while (true) {
    uint32_t best = kNoPair;
    for (size_t i = 0; i < n; ++i) best = std::min(best, pairs[i]);
    if (best >= kNoPair) return;
    const size_t left = best & (kMax - 1);
    const size_t right = next_[left];
    const size_t behind = next_[right];
    tokens_[left] = table.Merged(best >> kPlaceBits);
    next_[left] = static_cast<uint8_t>(behind);
    previous[behind] = static_cast<uint8_t>(left);
    pairs[right] = kNoPair;
    look_up(left, behind);
    look_up(previous[left], left);
    steps_ += 2;
  }
}

size_t LongMerge(const MergeTable& table, std::vector<TokenId>* tokens, std::vector<size_t>* ends) {
  const auto n = static_cast<int32_t>(tokens->size());
  size_t steps = 0;
  std::vector<Node> nodes(tokens->size());
  std::vector<Candidate> heap_storage;
  heap_storage.reserve(tokens->size());
  std::priority_queue<Candidate> heap(std::less<Candidate>(), std::move(heap_storage));
  const auto push = [&](int32_t left_node) {
    if (left_node < 0 || nodes[left_node].next >= n) return;
    ++steps;
    const uint32_t rank = table.Rank(nodes[left_node].id, nodes[nodes[left_node].next].id);
    if (rank == MergeTable::kNoRank) return;
    ++steps;
    heap.push({rank, left_node});
  };
  for (int32_t i = 0; i < n; ++i) nodes[i] = {(*tokens)[i], i - 1, i + 1};
  for (int32_t i = 0; i < n; ++i) push(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const MergeTable::Rule& rule = table.rules()[best.rank];
    Node& left = nodes[best.left_node];
    if (left.id != rule.left || left.next >= n) continue;
    Node& right = nodes[left.next];
    if (right.id != rule.right) continue;
    left.id = rule.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next < n) nodes[left.next].previous = best.left_node;
    push(left.previous);
    push(best.left_node);
  }
  tokens->clear();
  if (ends != nullptr) ends->clear();
  for (int32_t i = 0; i < n; i = nodes[i].next) {
    tokens->push_back(nodes[i].id);
    if (ends != nullptr) ends->push_back(static_cast<size_t>(nodes[i].next));
  }
  return steps;
}

}  // namespace shoal
