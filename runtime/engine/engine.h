#ifndef SHOAL_RUNTIME_ENGINE_ENGINE_H_
#define SHOAL_RUNTIME_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"
#include "runtime/device/device.h"
#include "runtime/engine/request.h"
#include "runtime/metrics/engine_metrics.h"
#include "runtime/model/model.h"
#include "runtime/moe/exchange.h"

namespace shoal {

// Everything of one epoch's group that a pass needs.  Made when an epoch is prepared, given to the
// engine when it is committed, given back (destroyed) when it is left.
struct Group {
  uint64_t epoch_number = 0;
  std::unique_ptr<Communicator> comm;
  std::unique_ptr<Agreement> agreement;
  std::unique_ptr<ExpertExchange> exchange;  // null for a dense model; borrows comm
  uint32_t placement_version = 0;
  // [moe layer][slot]: which logical expert this rank's slot holds; for the metrics, empty when not
  // counted.
  std::vector<std::vector<int32_t>> slot_experts;
};

struct EngineOptions {
  int max_sequences = 64;      // running at once on this rank
  int max_waiting = 256;       // beyond it Submit is refused with RESOURCE_EXHAUSTED
  int max_batch_tokens = 512;  // rows a step may have; prefill is chunked to it
  int64_t kv_blocks = 256;     // of kKvBlock positions
};

struct EngineLoad {
  int running = 0, waiting = 0;
  int64_t kv_blocks_free = 0;  // neither in use nor promised to a running generation
  int64_t kv_blocks_total = 0;
  uint64_t steps = 0;  // passes committed; beats carry it
  bool attached = false;
};

// The loop: one thread owns sequences, scheduler, cache, device and group.
// Every public method may be called from any thread but the sink's: they may wait for it.
class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const EngineOptions& options,
                                                        const Model& model, Device& device,
                                                        Clock& clock, EngineMetrics& metrics,
                                                        StepSink& sink);
  virtual ~Engine() = default;  // Detach, Drain(now) and join

  // Queues the request for the next step.  INVALID_ARGUMENT (too long for the model or for the
  // whole KV pool, with both numbers), RESOURCE_EXHAUSTED (queue full), UNAVAILABLE (draining, or
  // no group), ALREADY_EXISTS.
  virtual absl::Status Submit(Request request) = 0;
  // Ends it with kCancelled before the next step.  Unknown keys are ignored: it may just have
  // finished.
  virtual void Cancel(const GenerationKey& key) = 0;

  // Membership.  Attach: passes run in this group from now on.  REQUIRES: the last one was left.
  // Detach: aborts the group, returns when no pass is in flight, the device is quiet (M6) and the
  // group is destroyed; sequences keep their KV and wait.  Does nothing without a group.
  virtual void Attach(Group group) = 0;
  virtual void Detach(absl::Status why) = 0;
  // Ends every generation with `error` (their experts are gone, or their router is) before the
  // next step; does not wait for it.
  virtual void FailAll(absl::Status error) = 0;

  // No new requests; returns when all have finished or `deadline` passed (the rest end with
  // UNAVAILABLE).
  virtual void Drain(absl::Time deadline) = 0;

  virtual EngineLoad load() const = 0;
  // Set when a group broke under a pass: the cause, until the next Attach.  Control reports it as
  // Suspect.
  virtual absl::Status group_status() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_ENGINE_H_
