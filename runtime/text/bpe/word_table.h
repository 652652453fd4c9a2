// From whole words to tokens: the vocabulary, not a cache.

#ifndef SHOAL_RUNTIME_TEXT_BPE_WORD_TABLE_H_
#define SHOAL_RUNTIME_TEXT_BPE_WORD_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/perfect_hash.h"

namespace shoal {

// A word of up to kMaxInline bytes as two numbers: its bytes, zeros behind
// them, and its length on top.
struct WordKey {
  static constexpr size_t kMaxInline = 11;

  // REQUIRES: size <= kMaxInline, and 16 readable bytes at `p`.
  static WordKey Of(const char* p, size_t size) {
    WordKey key;
    std::memcpy(&key.low, p, sizeof(key.low));
    std::memcpy(&key.high, p + sizeof(key.low), sizeof(key.high));
    const size_t low_bits = 8 * std::min<size_t>(size, 8);
    const size_t high_bits = 8 * size - low_bits;
    key.low &= low_bits == 64 ? ~uint64_t{0} : (uint64_t{1} << low_bits) - 1;
    key.high &= (1u << high_bits) - 1;
    key.high |= static_cast<uint32_t>(size) << 24;
    return key;
  }
  // The same from a word with nothing readable behind it.
  static WordKey Of(absl::string_view word) {
    char padded[16] = {};
    std::copy(word.begin(), word.end(), padded);
    return Of(padded, word.size());
  }

  uint64_t low;
  uint32_t high;
};

// The invariant: filled once, from the tokenizer's file alone, and never
// written again. Nothing of any text that was encoded stays here, so neither
// memory nor time tells one caller about another's text.
//
// Words of up to 11 bytes lie inside their slot of 16 bytes, so that finding
// one takes one cache line; the few longer ones are in a common hash map.
//
// Immutable once made, therefore thread-safe.
class WordTable {
 public:
  // REQUIRES: distinct, non-empty words.
  explicit WordTable(const std::vector<std::pair<std::string, TokenId>>& words);

  // Where `key` lies if it lies anywhere; Prefetch() may have it fetched early.
  size_t SlotOf(WordKey key) const { return hash_.SlotOf(Hash(key)); }
  void Prefetch(size_t slot) const { __builtin_prefetch(&slots_[slot]); }

  // The word's token, or -1. REQUIRES: at == SlotOf(key).
  TokenId Find(WordKey key, size_t at) const {
    const Slot& slot = slots_[at];
    return (slot.low ^ key.low) == 0 && slot.high == key.high ? slot.token : -1;
  }

  // The token of a word of any length, or -1.
  TokenId Find(absl::string_view word) const {
    if (word.size() > WordKey::kMaxInline) return FindLong(word);
    const WordKey key = WordKey::Of(word);
    return Find(key, SlotOf(key));
  }

 private:
  struct alignas(16) Slot {
    uint64_t low = 0;
    uint32_t high = 0;
    TokenId token = -1;  // free; then low and high are no word's
  };

  static uint64_t Hash(WordKey key) {
    const uint64_t hash = (key.low ^ key.high * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    return (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
  }

  TokenId FindLong(absl::string_view word) const;

  PerfectHash hash_;
  std::vector<Slot> slots_;
  absl::flat_hash_map<std::string, TokenId> long_words_;
  size_t longest_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_WORD_TABLE_H_
