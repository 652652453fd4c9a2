// Routers, workers and the streams between them as one value, and what can happen next.

#ifndef SHOAL_TESTS_SIM_CHECKED_WORLD_H_
#define SHOAL_TESTS_SIM_CHECKED_WORLD_H_

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "tests/sim/checked_machines.h"

namespace shoal {

inline constexpr int kCheckedWorkers = 3;
inline constexpr int kMaxCheckedRouters = 2;

// How much may go wrong in one history. Everything else may happen at any time, in any order.
struct FaultBudget {
  uint8_t faults =
      1;  // a word lost, repeated or overtaken; a stream or mesh broken; a build failed
  uint8_t workers = 1;  // that restart, at once or in order
  uint8_t routers = 1;  // that restart
  uint8_t leases = 1;   // that pass: all streams to a router end, it does not know why
  uint8_t time = 1;     // steps of a router's clock, leases that run out at a worker
  friend bool operator==(const FaultBudget&, const FaultBudget&) = default;
};

struct WorldOptions {
  int routers = 2;
  int group_size = 2;  // of three workers
  FaultBudget budget;
  enum class Start { kCold, kServing } start = Start::kCold;  // serving: a group of router 0
  MachineSeams seams;
  bool same_incarnation = false;  // saboteur: routers do not draw one
  bool harm_only = false;         // M1 counts only when two workers run passes with two layouts
};

// Numbers alone: equal worlds are equal bytes.
struct World {
  std::array<Id, kMaxCheckedRouters> router = {};
  std::array<Id, kCheckedWorkers> worker = {};
  std::array<Id, kCheckedWorkers> engine = {};  // what the process around the machine has
  std::array<Id, kCheckedWorkers> link = {};    // its Join stream, and old ones not yet heard of
  Id past = kNone;                              // which process prepared which group
  FaultBudget left;
  std::array<uint8_t, kCheckedWorkers> lives = {};  // restarts of each worker
  uint8_t started = 0;                              // restarts of routers
  uint8_t leaving = 0;                              // bit w: w's time to leave runs

  friend bool operator==(const World&, const World&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const World& w) {
    return H::combine(std::move(h), w.router, w.worker, w.engine, w.link, w.past, w.left.faults,
                      w.left.workers, w.left.routers, w.left.leases, w.left.time, w.lives,
                      w.started, w.leaving);
  }
};

class CheckedWorld {
 public:
  // `what` in words is made only when `words` was asked for.
  struct Next {
    World world;
    std::string what;
    std::string violation;  // empty: none
  };
  using Visit = std::function<void(const Next&)>;

  explicit CheckedWorld(WorldOptions options);

  World Initial();
  void Successors(const World& from, bool words, const Visit& visit);

  // M7. Without further faults, with the routers but `leader` gone, every word delivered in time:
  // whether a group serves. The steps are fixed, so the answer is one run; those that were seen
  // before are remembered.
  bool Settles(const World& from, int leader);

  const CheckedMachines& machines() const { return machines_; }

 private:
  static constexpr int kFairRounds = 40;
  static constexpr Id kClosed = ~Id{0};  // in a queue: the stream's end

  struct Engine {
    Id building = kNone, built = kNone, attached = kNone;  // groups
    bool attaching = false;                                // OnAttached is on its way
  };
  struct OldLink {
    int router = 0, connection = 0;
    std::vector<Id> up;
  };
  struct Link {
    int router = -1, connection = 0;
    std::vector<Id> up, down;
    Id last_beat = kNone;  // equal beats in a row say nothing
    std::vector<OldLink> old;
  };
  struct Process {  // of the past
    int worker = 0;
    uint64_t incarnation = 0;
    Id group = kNone;
    friend auto operator<=>(const Process&, const Process&) = default;
  };
  using Past = std::vector<Process>;

  // One world being changed. Parts that stay are shared with the world it came from.
  struct Draft {
    World world;
    std::array<Engine, kCheckedWorkers> engine;
    std::array<std::optional<Link>, kCheckedWorkers> link;
    std::optional<Past> past;
    std::string violation;
  };
  Draft Open(const World& world) const;
  World Close(const Draft& draft);
  const Link& LinkOf(const Draft& d, int w) const {
    return d.link[w] ? *d.link[w] : links_[d.world.link[w]];
  }
  Link& EditLink(Draft& d, int w) const {
    return d.link[w] ? *d.link[w] : d.link[w].emplace(links_[d.world.link[w]]);
  }
  const Past& PastOf(const Draft& d) const { return d.past ? *d.past : pasts_[d.world.past]; }
  template <typename Change>
  void Try(const World& from, const Visit& visit, std::string what, const Change& change);

  // What can happen, by whom it happens to (checked_events.cc).
  void WorkerEvents(const World& from, int w, bool words, const Visit& visit);
  void WorkerFaults(const World& from, int w, bool words, const Visit& visit);
  void StreamEvents(const World& from, int w, bool words, const Visit& visit);
  void WordFaults(const World& from, int w, bool to_router, bool words, const Visit& visit);
  void StreamFaults(const World& from, int w, bool words, const Visit& visit);
  void RouterEvents(const World& from, int r, bool words, const Visit& visit);
  bool WouldBeat(const World& from, int w);

  void Connect(Draft& d, int w, int r);
  void DeliverUp(Draft& d, int w);
  void DeliverOld(Draft& d, int w, size_t i);
  void DeliverDown(Draft& d, int w);
  void FinishBuild(Draft& d, int w, bool ok);
  void FinishAttach(Draft& d, int w);
  void BreakAtWorker(Draft& d, int w, bool words_arrive);
  void BreakAtRouter(Draft& d, int w);
  void RestartWorker(Draft& d, int w);
  void RestartRouter(Draft& d, int r, bool lower);
  void PassLease(Draft& d, int r);
  void TimeAtRouter(Draft& d, int r);

  void Step(Draft& d, int r, const RouterInput& input);
  void Step(Draft& d, int w, const WorkerInput& input);
  void Apply(Draft& d, int r, const RouterEffect& effect);
  void Apply(Draft& d, int w, const WorkerEffect& effect);

  // Invariants that take more than one machine.
  void CheckPrepare(Draft& d, Id group) const;
  void CheckCommit(Draft& d, const v1::Epoch& epoch) const;
  void CheckAttach(Draft& d, int w) const;
  void CheckServing(Draft& d, int r, const std::vector<int>& by_rank) const;
  bool Prepared(const Draft& d, Id group) const;
  void Violate(Draft& d, std::string what) const;

  bool PeerGone(const Draft& d, int w) const;
  uint64_t Incarnation(const World& world, int w) const { return 100 + 10 * w + world.lives[w]; }
  void FairRound(Draft& d, int leader);
  bool Serves(const Draft& d, int leader) const;

  Id InternEngine(const Engine& engine);
  Id InternLink(const Link& link);
  Id InternPast(const Past& past);

  const WorldOptions options_;
  CheckedMachines machines_;
  std::deque<Engine> engines_;  // deques: references stay good
  std::deque<Link> links_;
  std::deque<Past> pasts_;
  absl::flat_hash_map<std::string, Id> engine_ids_, link_ids_, past_ids_;
  std::array<absl::flat_hash_map<World, bool>, kMaxCheckedRouters> settles_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_CHECKED_WORLD_H_
