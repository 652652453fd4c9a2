#include "runtime/text/bpe/perfect_hash.h"

#include <algorithm>
#include <numeric>

namespace shoal {

std::vector<size_t> PerfectHash::Build(const std::vector<uint64_t>& hashes) {
  constexpr size_t kKeysPerBucket = 4;
  slots_ = hashes.size() + hashes.size() / 2 + 1;
  bucket_shift_ = 63;
  while (kKeysPerBucket << (64 - bucket_shift_) < hashes.size()) --bucket_shift_;
  displacements_.assign(size_t{1} << (64 - bucket_shift_), 0);
  std::vector<std::vector<size_t>> buckets(displacements_.size());  // keys
  for (size_t key = 0; key < hashes.size(); ++key) {
    filter_[hashes[key] >> 50] |= uint64_t{1} << (hashes[key] >> 44 & 63);
    std::vector<size_t>& bucket = buckets[hashes[key] >> bucket_shift_];
    const bool is_new = std::none_of(bucket.begin(), bucket.end(),
                                     [&](size_t other) { return hashes[other] == hashes[key]; });
    if (is_new) bucket.push_back(key);
  }
  // The fullest first, while nearly all slots are free.
  std::vector<size_t> order(buckets.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buckets[a].size() > buckets[b].size(); });
  std::vector<size_t> slot_of(hashes.size(), kNowhere);
  std::vector<bool> taken(slots_);
  for (const size_t at : order) {
    const std::vector<size_t>& keys = buckets[at];
    for (uint32_t trial = 0; trial <= UINT16_MAX; ++trial) {
      size_t placed = 0;
      while (placed < keys.size()) {
        const size_t slot = SlotOf(hashes[keys[placed]], static_cast<uint16_t>(trial));
        if (taken[slot]) break;
        taken[slot] = true;
        slot_of[keys[placed++]] = slot;
      }
      if (placed == keys.size()) {
        displacements_[at] = static_cast<uint16_t>(trial);
        break;
      }
      while (placed > 0) {
        taken[slot_of[keys[--placed]]] = false;
        slot_of[keys[placed]] = kNowhere;
      }
    }
  }
  return slot_of;
}

}  // namespace shoal
