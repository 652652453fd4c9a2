#ifndef SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_
#define SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace shoal::cpu {

// Asks for two panels of weights to come into the second-level cache, a share at a time, while the
// tile unit is at the two before.
class WeightAhead {
 public:
  // `bytes` of each panel, from `from` and from `panel_bytes` further on, within `steps` steps.
  void Open(const std::byte* from, int64_t panel_bytes, int64_t bytes, int64_t steps) {
    next_ = reinterpret_cast<const char*>(from);
    end_ = next_ + bytes;
    panel_bytes_ = panel_bytes;
    lines_ = static_cast<int>((bytes / 64 + steps - 1) / steps);
  }
  void Step() {
    if (next_ >= end_) return;
    for (int i = 0; i < lines_; ++i, next_ += 64) {
      _mm_prefetch(next_, _MM_HINT_T1);
      _mm_prefetch(next_ + panel_bytes_, _MM_HINT_T1);
    }
  }

 private:
  const char* next_ = nullptr;
  const char* end_ = nullptr;
  int64_t panel_bytes_ = 0;
  int lines_ = 0;  // of each panel, in a step
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_
