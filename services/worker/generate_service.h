// The worker's end of the Generate streams: tokens in, tokens out.

#ifndef SHOAL_SERVICES_WORKER_GENERATE_SERVICE_H_
#define SHOAL_SERVICES_WORKER_GENERATE_SERVICE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "shoal/v1/worker.grpc.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/engine/engine.h"
#include "services/worker/token_outbox.h"

namespace shoal {

// Routers dial it; each is known by its incarnation and owns the generations that it submitted. A
// generation whose router has been away for the TTL is cancelled (rule W5).
//
// Any thread. The engine is never called with this lock held.
class GenerateService final : public v1::Worker::CallbackService, public StepSink {
 public:
  struct Options {
    std::string cluster;
    v1::WorkerId worker;
    absl::Duration orphan_ttl = absl::Seconds(2);
  };
  GenerateService(Options options, const Clock& clock);

  // Where submits go from now on; null: refused with UNAVAILABLE.
  void SetEngine(std::shared_ptr<Engine> engine);
  // What step messages are stamped with.
  void SetEpoch(const v1::Epoch& epoch);
  // Cancels what has had no owner for the TTL. Call every now and then.
  void CancelOrphans();
  // Ends every stream.
  void EndStreams();

  void OnStep(uint64_t step, std::vector<StepOutput> outputs) override;

  grpc::ServerBidiReactor<v1::GenerateDown, v1::GenerateUp>* Generate(
      grpc::CallbackServerContext* context) override;

 private:
  class Stream;
  struct Owner {
    Stream* stream = nullptr;  // null: away
    absl::Time away_since;
    TokenOutbox outbox;
    absl::flat_hash_set<GenerationKey> generations;
  };

  // From streams. `router` is 0 before its hello.
  grpc::Status OnHello(Stream* stream, const v1::Hello& hello);
  void OnSubmit(uint64_t router, const v1::Submit& submit);
  void OnCancel(const v1::CancelGeneration& cancel);
  void OnWritable(uint64_t router, Stream* stream);
  void OnEnded(uint64_t router, Stream* stream);

  void AddLocked(uint64_t router, uint64_t step, v1::GenerationTokens tokens)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PumpAllLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PumpLocked(Owner& owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Engine> engine() const;

  const Options options_;
  const Clock& clock_;

  mutable Mutex mu_;
  std::shared_ptr<Engine> engine_ ABSL_GUARDED_BY(mu_);
  v1::Epoch epoch_ ABSL_GUARDED_BY(mu_);
  uint64_t step_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<uint64_t, Owner> owners_ ABSL_GUARDED_BY(mu_);  // by router incarnation
  absl::flat_hash_map<GenerationKey, uint64_t> owner_of_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<Stream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_GENERATE_SERVICE_H_
