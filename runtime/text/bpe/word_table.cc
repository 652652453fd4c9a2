#include "runtime/text/bpe/word_table.h"

namespace shoal {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a key's first byte is its lowest");

WordTable::WordTable(const std::vector<std::pair<std::string, TokenId>>& words) {
  std::vector<Slot> filled;
  for (const auto& [word, token] : words) {
    longest_ = std::max(longest_, word.size());
    if (word.size() > WordKey::kMaxInline) {
      long_words_.emplace(word, token);
    } else {
      const WordKey key = WordKey::Of(word);
      filled.push_back({key.low, key.high, token});
    }
  }
  std::vector<uint64_t> hashes;
  for (const Slot& slot : filled) hashes.push_back(Hash({slot.low, slot.high}));
  const std::vector<size_t> slot_of = hash_.Build(hashes);
  slots_.resize(hash_.slots());
  for (size_t i = 0; i < filled.size(); ++i) {
    // A word without a slot is not lost: it is merged instead.
    if (slot_of[i] != PerfectHash::kNowhere) slots_[slot_of[i]] = filled[i];
  }
}

TokenId WordTable::FindLong(absl::string_view word) const {
  if (word.size() > longest_) return -1;
  const auto it = long_words_.find(word);
  return it == long_words_.end() ? -1 : it->second;
}

}  // namespace shoal
