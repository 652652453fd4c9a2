// Where the pieces of one text became tokens, for when they come again.

#ifndef SHOAL_RUNTIME_TEXT_BPE_PIECE_MEMO_H_
#define SHOAL_RUNTIME_TEXT_BPE_PIECE_MEMO_H_

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"

namespace shoal {

// Of the pieces that must be merged, half or more were merged before in the
// same text. This remembers where in the text and where among its tokens; what
// it finds there is compared byte by byte.
//
// Its places tell of the text: so it lives no longer than the call that encodes
// the text, is never shared, is wiped at its end, and has 16 KB whatever the
// text. A newer piece takes an older one's slot.
//
// One thread at a time. Neither the text nor its tokens so far may change.
class PieceMemo {
 public:
  // `ids` is where the text's tokens go; it outlives this.
  PieceMemo(absl::string_view text, std::vector<TokenId>* ids) : text_(text), ids_(*ids) {}
  PieceMemo(const PieceMemo&) = delete;
  PieceMemo& operator=(const PieceMemo&) = delete;
  // The compiler may not leave this clearing out, unlike memset's.
  ~PieceMemo() { explicit_bzero(slots_.data(), sizeof(slots_)); }

  // Calls `merge()`, which appends the tokens of the `size` bytes at `begin` of
  // the text, or appends them from where they are. Returns what `merge` does,
  // or 0. REQUIRES: size > 0.
  template <typename Merge>
  size_t Append(size_t begin, size_t size, Merge merge) {
    const char* const piece = text_.data() + begin;
    Slot& slot = slots_[SlotOf(piece, size)];
    const size_t before = ids_.size();
    if (slot.size == size && std::memcmp(text_.data() + slot.begin, piece, size) == 0) {
      ids_.resize(before + slot.count);
      std::copy_n(ids_.begin() + slot.ids, slot.count,
                  ids_.begin() + static_cast<std::ptrdiff_t>(before));
      return 0;
    }
    const size_t steps = merge();
    if (begin + size <= UINT32_MAX && ids_.size() <= UINT32_MAX) {
      slot = {static_cast<uint32_t>(begin), static_cast<uint32_t>(size),
              static_cast<uint32_t>(before), static_cast<uint32_t>(ids_.size() - before)};
    }
    return steps;
  }

 private:
  static constexpr int kSlotBits = 10;

  // A piece and its tokens.
  struct Slot {
    uint32_t begin;
    uint32_t size;  // 0: free
    uint32_t ids;
    uint32_t count;
  };

  // By the piece's size and its first and last bytes.
  static size_t SlotOf(const char* piece, size_t size) {
    uint64_t first = 0;
    uint64_t last = 0;
    if (size >= 8) {
      std::memcpy(&first, piece, 8);
      std::memcpy(&last, piece + size - 8, 8);
    } else {
      for (size_t i = 0; i < size; ++i) first = first << 8 | static_cast<unsigned char>(piece[i]);
    }
    const uint64_t mixed = (first ^ (last + size) * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    return (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15u >> (64 - kSlotBits);
  }

  const absl::string_view text_;
  std::vector<TokenId>& ids_;
  std::array<Slot, size_t{1} << kSlotBits> slots_ = {};
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_PIECE_MEMO_H_
