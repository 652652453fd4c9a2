#ifndef SHOAL_RUNTIME_DEVICE_CPU_GATE_H_
#define SHOAL_RUNTIME_DEVICE_CPU_GATE_H_

#include <cstdint>
#include <vector>

#include "runtime/device/ops.h"

namespace shoal::cpu {

// The choice of experts for one row from its scores s (V3 paper eq. 13-16), in float32 in fixed
// order (rule N10). One thread's; keeps its memory from row to row.
class ExpertChoice {
 public:
  // scores, bias: [config.experts]; bias may be null. Writes config.top_k experts, ascending by id,
  // and their weights. Ties go to the lowest index. NaN scores choose something and stay NaN in the
  // weights.
  void Choose(const GateConfig& config, const float* scores, const float* bias, int32_t* expert,
              float* weight);

 private:
  std::vector<float> biased_;
  std::vector<float> group_;
  std::vector<uint8_t> open_, group_open_;  // may be chosen
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_GATE_H_
