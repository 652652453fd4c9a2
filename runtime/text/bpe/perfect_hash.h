// A hash without collisions for keys that are all known beforehand (hash and
// displace; Belazzougui, Botelho and Dietzfelbinger 2009).

#ifndef SHOAL_RUNTIME_TEXT_BPE_PERFECT_HASH_H_
#define SHOAL_RUNTIME_TEXT_BPE_PERFECT_HASH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal {

// Each key has a slot of its own among one and a half times as many slots. A
// look-up is two loads, no branch, and the same steps for every key, known or
// not; whoever uses the slots compares the key that lies there.
//
// Immutable once built, therefore thread-safe.
class PerfectHash {
 public:
  static constexpr size_t kNowhere = SIZE_MAX;

  // Finds slots for keys with these hashes, and returns the slot of each;
  // kNowhere if there is none, as for the second of two equal hashes.
  // REQUIRES: hashes of which all bits are mixed.
  std::vector<size_t> Build(const std::vector<uint64_t>& hashes);

  size_t slots() const { return slots_; }
  size_t SlotOf(uint64_t hash) const {
    const uint64_t maybe = filter_[hash >> 50] >> (hash >> 44 & 63) & 1;
    return SlotOf(hash, displacements_[hash >> bucket_shift_]) & -maybe;
  }

 private:
  // Each displacement sends a hash to another slot, as by chance.
  size_t SlotOf(uint64_t hash, uint16_t displacement) const {
    const uint64_t mixed = (hash ^ displacement) * 0xA0761D6478BD642Fu;
    return (mixed >> 32) * slots_ >> 32;
  }

  size_t slots_ = 1;
  int bucket_shift_ = 63;                         // 64 - log2(displacements_.size())
  std::vector<uint16_t> displacements_ = {0, 0};  // by a hash's top bits
  // One bit per possible 20 top bits of a hash. Most keys that are asked for are
  // not there: without a bit all of them go to slot 0, which stays in the
  // nearest cache.
  std::vector<uint64_t> filter_ = std::vector<uint64_t>(size_t{1} << 14);
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_PERFECT_HASH_H_
