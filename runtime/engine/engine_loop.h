#ifndef SHOAL_RUNTIME_ENGINE_ENGINE_LOOP_H_
#define SHOAL_RUNTIME_ENGINE_ENGINE_LOOP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/device/device.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/front_desk.h"
#include "runtime/engine/packed_batch.h"
#include "runtime/engine/pass_meter.h"
#include "runtime/engine/scheduler.h"
#include "runtime/kv/kv_cache.h"
#include "runtime/metrics/engine_metrics.h"
#include "runtime/model/model.h"
#include "runtime/sampling/sampler.h"
#include "runtime/tensor/arena.h"

namespace shoal {

// The engine thread's own: it plans, agrees with the other ranks, computes,
// samples, commits. A pass has no effect until it commits, so one that fails
// never happened: its rows are planned anew in the next group.
//
// Each rank commits for itself. One that finished a pass which failed elsewhere
// is a step ahead afterwards; nothing notices, since the rows of a rank are its
// own sequences and those it served are of no consequence to it.
class EngineLoop {
 public:
  struct Parts {
    const Model& model;
    Device& device;
    const Clock& clock;
    EngineMetrics& metrics;
    StepSink& sink;
  };

  EngineLoop(const EngineOptions& options, const Parts& parts, FrontDesk& desk,
             std::unique_ptr<KvCache> cache);

  // Until the desk says stop.
  void Run();

 private:
  void Apply(std::vector<FrontDesk::Command> commands);
  // One round of agreement and, if any rank has rows, one pass. An error: the
  // group is of no more use.
  absl::Status Step(Group& group, bool draining);
  // Whether any rank brings rows.
  absl::StatusOr<bool> Agree(Group& group, const StepPlan& plan, bool draining);
  absl::Status RunPass(Group& group, const StepPlan& plan);
  absl::StatusOr<Tensor> Compute(Group& group, const StepPlan& plan);
  // One for each piece that samples; logits [samples, vocab].
  std::vector<absl::StatusOr<TokenId>> SampleAll(const StepPlan& plan, Tensor logits);
  // Hands the scheduler's outputs to the sink and publishes where it stands.
  void Deliver();

  const Parts parts_;
  FrontDesk& desk_;
  const std::unique_ptr<KvCache> cache_;
  Scheduler scheduler_;
  PackedBatch batch_;
  Arena arena_;
  PassMeter meter_;
  std::vector<float> logits_;  // [vocab], of one row
  SamplerScratch sampler_scratch_;
  uint64_t steps_ = 0;         // passes committed
  uint64_t group_number_ = 0;  // of the group last stepped in
  absl::Duration step_estimate_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_ENGINE_LOOP_H_
