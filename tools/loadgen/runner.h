// Sends a workload on time and waits for the end of every request.

#ifndef SHOAL_TOOLS_LOADGEN_RUNNER_H_
#define SHOAL_TOOLS_LOADGEN_RUNNER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "tools/loadgen/generate_stream.h"
#include "tools/loadgen/request_record.h"
#include "tools/loadgen/workload.h"

namespace shoal::loadgen {

// The caller's thread starts the calls and wakes slow readers; gRPC's threads read. In an open loop
// a request is sent at its time, however many are still open; in a closed loop when a client is
// free.
//
// Used once, by one thread.
class Runner : private StreamHost {
 public:
  // Requests go over `stubs` in turn. After the last one began, the run waits for `drain` at most;
  // what is open then is given up and marked hung. All arguments outlive the runner.
  Runner(const Workload& workload, const std::vector<std::unique_ptr<v1::Inference::Stub>>& stubs,
         absl::Duration drain, const Clock& clock);
  // REQUIRES: Run() has returned, if it was called.
  ~Runner() override = default;

  // The requests that were begun, by index.
  std::vector<RequestRecord> Run();

 private:
  using Wake = std::pair<absl::Time, GenerateStream*>;

  void WakeAt(absl::Time when, GenerateStream& stream) override;
  void OnEnded(std::unique_ptr<GenerateStream> stream) override;

  // When request `stream` is due, after waiting for it; nothing: the run's time is over first.
  std::optional<absl::Time> WaitForTurn(const GenerateStream& stream);
  // Waits until `done` (read under the lock) or `until`, waking slow readers. Whether it is done.
  bool WaitFor(const std::function<bool()>& done, absl::Time until);
  void WakeDueReaders(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Start(std::unique_ptr<GenerateStream> stream, absl::Time intended);
  void Drain();

  const Workload& workload_;
  const std::vector<std::unique_ptr<v1::Inference::Stub>>& stubs_;
  const absl::Duration drain_;
  const Clock& clock_;
  absl::Time begin_;

  Mutex mu_;
  CondVar changed_;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<GenerateStream*> live_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Time> free_since_ ABSL_GUARDED_BY(mu_);  // clients of a closed loop
  std::vector<RequestRecord> records_ ABSL_GUARDED_BY(mu_);
  int64_t open_ ABSL_GUARDED_BY(mu_) = 0;  // begun, and not in records_
  bool given_up_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_RUNNER_H_
