// A worker process in virtual time: its member, its rank thread, its engine.

#ifndef SHOAL_TESTS_SIM_SIM_RANK_H_
#define SHOAL_TESTS_SIM_SIM_RANK_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/comm/loopback/loopback.h"
#include "runtime/engine/engine.h"
#include "services/worker/member.h"
#include "tests/sim/fibers.h"
#include "tests/sim/sim_device.h"
#include "tests/sim/sim_history.h"

namespace shoal {

// Where the ranks of an epoch meet. By its text alone: that no two groups have one is what the
// protocol is for.
struct SimMesh {
  struct Point {
    std::vector<LoopbackRank> faces;
    int arrived = 0;
  };
  std::map<std::string, std::shared_ptr<Point>> points;
};

struct SimRankOptions {
  v1::Join identity;
  bool finish_returns_early = false;  // saboteur of M6
  std::function<absl::Duration(int64_t max_micros)> delay;
  std::function<void(std::function<void()>)> post;  // to the control thread
  std::function<void(Member::Actions)> act;         // what of the member's wishes is the stream's
  std::function<void(std::vector<StepOutput>)> on_step;
};

// As services/worker has it: a control thread with the member, a rank thread that builds, attaches
// and leaves in order, the engine's own. Control calls come from one fiber.
class SimRank final : private StepSink {
 public:
  SimRank(SimRankOptions options, Fibers& fibers, const FiberClock& clock, SimMesh& mesh,
          SimHistory& history);
  ~SimRank() override = default;

  Member& member() { return member_; }
  Engine& engine() { return *engine_; }
  // Carries out what the member wants.
  void Do(Member::Actions actions);
  void Look();  // whether the group broke
  EngineReport report() const;
  void FailNextPass() { fail_next_finish_ = true; }
  // As by SIGKILL: no word leaves it any more; its sockets close soon. The object stays.
  void Kill();
  bool dead() const { return dead_; }

 private:
  void OnStep(uint64_t step, std::vector<StepOutput> outputs) override;
  void Put(std::function<void()> work);
  void RunRank();
  void Build(const v1::Prepare& prepare, int build);
  absl::Status Meet(const v1::Prepare& prepare, int build);
  void Attach(const v1::Epoch& epoch);
  void Leave(const absl::Status& why);

  const SimRankOptions options_;
  Fibers& fibers_;
  const FiberClock& clock_;
  SimMesh& mesh_;
  SimHistory& history_;
  Member member_;
  bool dead_ = false;
  int build_ = 0;  // the one that is wanted
  QueuedWrites queue_;
  std::atomic<bool> fail_next_finish_ = false;
  std::unique_ptr<Device> device_;
  SimModel model_;
  std::unique_ptr<Engine> engine_;
  std::optional<Group> built_;
  v1::Epoch built_epoch_;

  Mutex mu_;
  CondVar changed_;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_SIM_RANK_H_
