// Router, workers and engines in virtual time, from client to KV cache and back.

#ifndef SHOAL_TESTS_SIM_ENGINE_SIM_H_
#define SHOAL_TESTS_SIM_ENGINE_SIM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "runtime/base/mutex.h"
#include "tests/sim/fibers.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_rank.h"
#include "tests/sim/sim_router.h"

namespace shoal {

struct EngineSimOptions {
  uint64_t seed = 1;
  int workers = 3, group_size = 2;
  int generations = 10;
  absl::Duration chaos = absl::Seconds(2);
  absl::Duration calm = absl::Seconds(20);  // by then a group serves and everything has ended
  bool keep_words = false;
  // Saboteurs.
  bool finish_returns_early = false;  // M6
  SimSaboteurs router;
};

// What a seed stands for, in the test and when it is replayed.
EngineSimOptions SimCase(uint64_t seed);

struct EngineSimResult {
  std::string violation;
  uint64_t digest = 0;  // of the history: equal for equal seeds
  std::vector<std::string> words;
  int asked = 0, finished = 0, failed = 0, groups = 0, faults = 0;
  int64_t tokens = 0;
  uint64_t passes = 0, switches = 0;
};

// The machines, the session and the engines that serve; the network, the mesh's meeting point, the
// device and the clock are simulated. Everything that is random comes from the seed, the order in
// which threads take turns included.
class EngineSim final : private SimNetwork {
 public:
  explicit EngineSim(const EngineSimOptions& options);
  EngineSimResult Run();

 private:
  struct Worker {
    std::unique_ptr<SimRank> rank;
    std::shared_ptr<SimStream> join;  // null: not connected
    ConnectionId connection = 0;
  };

  int Below(int64_t n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  absl::Duration Delay(int64_t max_micros) { return absl::Microseconds(1 + Below(max_micros)); }
  void After(absl::Duration delay, std::function<void()> event);
  void Post(std::function<void()> event) { After(absl::ZeroDuration(), std::move(event)); }
  // In order, while the stream is open.
  void Travel(const std::shared_ptr<SimStream>& stream, std::function<void()> arrive);

  void ToWorker(ConnectionId join, v1::RouterMessage message) override;
  void CloseJoin(ConnectionId join) override;
  void SubmitTo(const std::shared_ptr<SimStream>& data, ConnectionId join,
                const v1::Submit& submit) override;
  void CancelAt(const std::shared_ptr<SimStream>& data, ConnectionId join,
                const std::string& generation, uint32_t attempt) override;
  void OnStep(const std::vector<StepOutput>& outputs);
  Worker* WorkerAt(ConnectionId join);  // null: that process is gone

  void Live();  // the control threads of all processes
  void RunEvents(absl::Time until);
  void StartWorker(int w);
  void StartRouter();
  void Connect(int w);
  void Disconnect(int w);
  void OnActions(int w, Member::Actions actions);
  void Tick(SimRouter* router);
  void Beat(int w);
  void Ask();
  void Fault();
  bool AtRest() const;
  void CheckPools();

  const EngineSimOptions options_;
  std::mt19937_64 random_;
  Fibers fibers_;
  FiberClock clock_;
  SimHistory history_;
  SimMesh mesh_;
  std::vector<Worker> workers_;
  std::vector<std::unique_ptr<SimRank>> dead_;  // until their threads have ended
  std::unique_ptr<SimRouter> router_;
  std::vector<std::unique_ptr<SimRouter>> dead_routers_;
  // Where a generation's tokens go: the data stream that it came by.
  absl::flat_hash_map<GenerationKey, std::pair<std::shared_ptr<SimStream>, ConnectionId>>
      streams_of_;
  uint64_t next_incarnation_ = 100;
  ConnectionId next_connection_ = 1;
  int next_generation_ = 0;
  bool faults_on_ = true;
  EngineSimResult result_;

  Mutex mu_;
  CondVar changed_;
  std::multimap<absl::Time, std::function<void()>> events_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_ENGINE_SIM_H_
