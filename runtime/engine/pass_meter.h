#ifndef SHOAL_RUNTIME_ENGINE_PASS_METER_H_
#define SHOAL_RUNTIME_ENGINE_PASS_METER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/base/clock.h"
#include "runtime/comm/communicator.h"
#include "runtime/metrics/engine_metrics.h"
#include "runtime/model/model.h"

namespace shoal {

// Where a pass spends its time and its tokens. What it saw reaches the metrics
// only when the pass commits; the bytes on the wire always do.
// Thread-compatible: the engine thread owns it.
class PassMeter final : public PassObserver {
 public:
  PassMeter(const Clock& clock, EngineMetrics& metrics);

  // A new group's traffic counts from zero. `slot_experts` as in Group; it must
  // outlive the group's passes.
  void JoinGroup(absl::Span<const std::vector<int32_t>> slot_experts);

  void BeginAgree();
  void BeginPass();  // ends the agreement; the first phase names itself
  void OnPhase(Phase phase) override;
  void OnExperts(int layer, absl::Span<const int32_t> slot_rows) override;
  void BeginSample();
  void Commit(int64_t rows);
  // After the pass, committed or not.
  void CountTraffic(const Communicator::Traffic& traffic);

 private:
  // PassObserver's phases, and those before and after them.
  static constexpr size_t kAgree = 5, kSample = 6, kNone = 7;
  void SwitchTo(size_t phase);

  const Clock& clock_;
  EngineMetrics& metrics_;
  absl::Span<const std::vector<int32_t>> slot_experts_;
  Communicator::Traffic counted_;
  size_t phase_ = kNone;
  absl::Time since_;
  std::array<absl::Duration, 8> spent_;
  std::vector<std::vector<int64_t>> expert_rows_;  // [moe layers][experts]
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_PASS_METER_H_
