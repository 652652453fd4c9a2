#ifndef SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_
#define SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace shoal::cpu {

// Asks for some panels of weights to come into the second-level cache, a share at a time, while the
// tile unit is at those before.
class WeightAhead {
 public:
  // `bytes` of each of `panels` panels, the first at `from`, each `panel_bytes` after the one
  // before, within `steps` steps.
  void Open(const std::byte* from, int64_t panels, int64_t panel_bytes, int64_t bytes,
            int64_t steps) {
    next_ = reinterpret_cast<const char*>(from);
    end_ = next_ + bytes;
    panels_ = panels;
    panel_bytes_ = panel_bytes;
    lines_ = (bytes / 64 + steps - 1) / steps;
  }
  void Step() {
    for (int64_t i = 0; i < lines_ && next_ < end_; ++i, next_ += 64) {
      for (int64_t p = 0; p < panels_; ++p) _mm_prefetch(next_ + p * panel_bytes_, _MM_HINT_T1);
    }
  }

 private:
  const char* next_ = nullptr;
  const char* end_ = nullptr;
  int64_t panels_ = 0, panel_bytes_ = 0;
  int64_t lines_ = 0;  // of each panel, in a step
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_WEIGHT_AHEAD_H_
