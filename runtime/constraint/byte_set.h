#ifndef SHOAL_RUNTIME_CONSTRAINT_BYTE_SET_H_
#define SHOAL_RUNTIME_CONSTRAINT_BYTE_SET_H_

#include <array>
#include <cstdint>
#include <utility>

namespace shoal {

// A set of byte values.
class ByteSet {
 public:
  constexpr ByteSet() = default;
  // first..last, both included.
  static constexpr ByteSet Range(int first, int last) {
    ByteSet set;
    for (int b = first; b <= last; ++b) set.Add(b);
    return set;
  }

  constexpr void Add(int byte) { words_[byte >> 6] |= uint64_t{1} << (byte & 63); }
  constexpr bool Has(int byte) const { return words_[byte >> 6] >> (byte & 63) & 1; }
  constexpr bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }

  friend constexpr bool operator==(const ByteSet&, const ByteSet&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ByteSet& set) {
    return H::combine(std::move(h), set.words_);
  }

 private:
  std::array<uint64_t, 4> words_ = {};
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_BYTE_SET_H_
