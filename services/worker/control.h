// The worker's control client: keeps a Join stream to the router and drives the member machine.

#ifndef SHOAL_SERVICES_WORKER_CONTROL_H_
#define SHOAL_SERVICES_WORKER_CONTROL_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "services/worker/member.h"
#include "services/worker/rank.h"

namespace shoal {

// One control thread owns the machine. It dials until the router answers (200 ms to 2 s apart),
// says every few seconds whom it waits for, and never gives up: only a rejection, a share that
// cannot be loaded, or Leave() ends it.
class WorkerControl {
 public:
  struct Options {
    std::string router;  // HOST:PORT
    v1::Join identity;
    std::function<void()> on_beat;  // called about every beat from the control thread
  };
  // `clock` and `log` outlive it.
  static std::unique_ptr<WorkerControl> Create(Options options, const Clock& clock, Logger& log);
  virtual ~WorkerControl() = default;

  // What the rank calls. Valid before Start().
  virtual RankListener& rank_listener() = 0;
  // `rank` outlives Stop(). REQUIRES: called once.
  virtual void Start(Rank& rank) = 0;
  // SIGTERM: tells the router that this worker goes within `deadline`.
  virtual void Leave(absl::Duration deadline) = 0;
  // Hangs up; the rank is not called any more.
  virtual void Stop() = 0;

  // Why this worker must stop or may; nothing while it is to run on.
  virtual std::optional<StopWorker> ended() const = 0;
  virtual bool live() const = 0;  // in a committed epoch, with a router
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_CONTROL_H_
