// What can happen next in a world, and whether it comes to rest.

#include <utility>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"
#include "tests/sim/checked_world.h"

namespace shoal {

namespace {

// Words that must be under way on a stream before one can be overtaken by another.
constexpr size_t kOvertakes = 2;

}  // namespace

template <typename Change>
void CheckedWorld::Try(const World& from, const Visit& visit, std::string what,
                       const Change& change) {
  Draft draft = Open(from);
  change(draft);
  const World next = Close(draft);
  visit({next, std::move(what), std::move(draft.violation)});
}

// Words are put together only for a history that is printed.
#define SAY(...) (words ? absl::StrCat(__VA_ARGS__) : std::string())

void CheckedWorld::Successors(const World& from, bool words, const Visit& visit) {
  for (int w = 0; w < kCheckedWorkers; ++w) {
    WorkerEvents(from, w, words, visit);
    StreamEvents(from, w, words, visit);
    if (from.left.faults > 0) StreamFaults(from, w, words, visit);
    WorkerFaults(from, w, words, visit);
  }
  for (int r = 0; r < options_.routers; ++r) RouterEvents(from, r, words, visit);
}

void CheckedWorld::WorkerEvents(const World& from, int w, bool words, const Visit& visit) {
  const Engine& engine = engines_[from.engine[w]];
  if (engine.building != kNone) {
    Try(from, visit, SAY("w", w, " has built the group and is quiet"),
        [&](Draft& d) { FinishBuild(d, w, true); });
  }
  if (engine.attaching) {
    Try(from, visit, SAY("w", w, " runs passes"), [&](Draft& d) { FinishAttach(d, w); });
  }
  const Draft now = Open(from);
  if (engine.attached != kNone && PeerGone(now, w)) {
    Try(from, visit, SAY("w", w, " sees a peer's socket closed"),
        [&](Draft& d) { Step(d, w, WorkerInput{WorkerInput::Kind::kMeshBroke}); });
  }
  if (WouldBeat(from, w)) {
    Try(from, visit, SAY("w", w, " beats"),
        [&](Draft& d) { Step(d, w, WorkerInput{WorkerInput::Kind::kBeat}); });
  }
}

bool CheckedWorld::WouldBeat(const World& from, int w) {
  const Link& link = links_[from.link[w]];
  if (link.router < 0 || (!link.down.empty() && link.down.back() == kClosed)) return false;
  const auto& beat = machines_.Step(from.worker[w], WorkerInput{WorkerInput::Kind::kBeat});
  return beat.effects.front().message != link.last_beat;
}

void CheckedWorld::WorkerFaults(const World& from, int w, bool words, const Visit& visit) {
  const Engine& engine = engines_[from.engine[w]];
  if (from.left.faults > 0 && engine.building != kNone) {
    Try(from, visit, SAY("FAULT w", w, " cannot build the group"), [&](Draft& d) {
      --d.world.left.faults;
      FinishBuild(d, w, false);
    });
  }
  if (from.left.faults > 0 && engine.attached != kNone && !PeerGone(Open(from), w)) {
    Try(from, visit, SAY("FAULT w", w, "'s mesh breaks"), [&](Draft& d) {
      --d.world.left.faults;
      Step(d, w, WorkerInput{WorkerInput::Kind::kMeshBroke});
    });
  }
  const bool leaving = from.leaving >> w & 1;
  if (from.left.workers > 0 && !leaving) {
    Try(from, visit, SAY("FAULT w", w, " restarts"), [&](Draft& d) {
      --d.world.left.workers;
      RestartWorker(d, w);
    });
    Try(from, visit, SAY("w", w, " is told to leave (SIGTERM)"), [&](Draft& d) {
      --d.world.left.workers;
      d.world.leaving |= static_cast<uint8_t>(1 << w);
      Step(d, w, WorkerInput{WorkerInput::Kind::kLeave});
    });
  }
  if (leaving) {
    Try(from, visit, SAY("w", w, "'s time to leave is over: it goes and is started again"),
        [&](Draft& d) { RestartWorker(d, w); });
  }
  if (from.left.time > 0 && machines_.worker(from.worker[w]).live()) {
    Try(from, visit, SAY("TIME w", w, "'s router has been silent for a lease"), [&](Draft& d) {
      --d.world.left.time;
      Step(d, w, WorkerInput{WorkerInput::Kind::kTimePasses});
    });
  }
}

void CheckedWorld::StreamEvents(const World& from, int w, bool words, const Visit& visit) {
  const Link& link = links_[from.link[w]];
  if (link.router < 0) {
    for (int r = 0; r < options_.routers; ++r) {
      Try(from, visit, SAY("w", w, " joins router ", r), [&](Draft& d) { Connect(d, w, r); });
    }
  }
  if (!link.up.empty()) {
    Try(from, visit,
        SAY("router ", link.router, " hears ", machines_.Words(link.up.front(), true), " from w",
            w),
        [&](Draft& d) { DeliverUp(d, w); });
  }
  for (size_t i = 0; i < link.old.size(); ++i) {
    const Id head = link.old[i].up.front();
    Try(from, visit,
        SAY("router ", link.old[i].router,
            head == kClosed ? " sees the stream closed of w"
                            : absl::StrCat(" hears ", machines_.Words(head, true),
                                           " on the broken stream of w"),
            w),
        [&](Draft& d) { DeliverOld(d, w, i); });
  }
  if (!link.down.empty()) {
    const Id head = link.down.front();
    Try(from, visit,
        SAY("w", w,
            head == kClosed ? " sees its stream closed"
                            : absl::StrCat(" hears ", machines_.Words(head, false)),
            " (router ", link.router, ")"),
        [&](Draft& d) { DeliverDown(d, w); });
  }
}

void CheckedWorld::StreamFaults(const World& from, int w, bool words, const Visit& visit) {
  const Link& link = links_[from.link[w]];
  if (link.router < 0) return;
  for (const bool arrive : {true, false}) {
    if (!arrive && link.up.empty()) continue;
    Try(from, visit,
        SAY("FAULT w", w, "'s stream breaks; what it had sent ", arrive ? "arrives" : "is lost"),
        [&](Draft& d) {
          --d.world.left.faults;
          BreakAtWorker(d, w, arrive);
        });
  }
  if (!link.down.empty() && link.down.back() == kClosed) return;
  Try(from, visit, SAY("FAULT router ", link.router, " loses the stream of w", w, " first"),
      [&](Draft& d) {
        --d.world.left.faults;
        BreakAtRouter(d, w);
      });
  WordFaults(from, w, /*to_router=*/true, words, visit);
  WordFaults(from, w, /*to_router=*/false, words, visit);
}

void CheckedWorld::WordFaults(const World& from, int w, bool to_router, bool words,
                              const Visit& visit) {
  const Link& link = links_[from.link[w]];
  const std::vector<Id>& queue = to_router ? link.up : link.down;
  if (queue.empty()) return;
  const auto change = [&](Draft& d) -> std::vector<Id>& {
    --d.world.left.faults;
    Link& edited = EditLink(d, w);
    if (to_router) edited.last_beat = kNone;
    return to_router ? edited.up : edited.down;
  };
  const std::string word =
      SAY(machines_.Words(queue.front(), to_router), to_router ? " of w" : " to w", w);
  Try(from, visit, SAY("FAULT lost: ", word), [&](Draft& d) {
    std::vector<Id>& q = change(d);
    q.erase(q.begin());
  });
  Try(from, visit, SAY("FAULT sent twice: ", word), [&](Draft& d) {
    std::vector<Id>& q = change(d);
    q.push_back(q.front());
  });
  if (queue.size() < kOvertakes) return;
  Try(from, visit, SAY("FAULT overtaken by all behind it: ", word), [&](Draft& d) {
    std::vector<Id>& q = change(d);
    q.push_back(q.front());
    q.erase(q.begin());
  });
}

void CheckedWorld::RouterEvents(const World& from, int r, bool words, const Visit& visit) {
  if (from.left.time > 0) {
    Try(from, visit, SAY("TIME passes at router ", r), [&](Draft& d) {
      --d.world.left.time;
      TimeAtRouter(d, r);
    });
  }
  bool followed = false;
  for (Id link : from.link) followed |= links_[link].router == r;
  if (from.left.leases > 0 && followed) {
    Try(from, visit, SAY("LEASE passes from router ", r, ": its workers' streams end"),
        [&](Draft& d) {
          --d.world.left.leases;
          PassLease(d, r);
        });
  }
  if (from.left.routers == 0) return;
  for (const bool lower : {false, true}) {
    if (lower && options_.same_incarnation) continue;
    Try(from, visit,
        SAY("FAULT router ", r, " restarts with a ", lower ? "lower" : "higher", " incarnation"),
        [&](Draft& d) {
          --d.world.left.routers;
          RestartRouter(d, r, lower);
        });
  }
}

#undef SAY

// ---- M7 ----

// In an order that gives everybody their turn: words arrive, builds end, the lost notice, the
// unconnected dial, all beat, time passes.
void CheckedWorld::FairRound(Draft& d, int leader) {
  for (int w = 0; w < kCheckedWorkers; ++w) {
    if (d.world.leaving >> w & 1) RestartWorker(d, w);
    const int r = LinkOf(d, w).router;
    if (r >= 0 && r != leader) BreakAtWorker(d, w, /*words_arrive=*/false);
    std::erase_if(EditLink(d, w).old, [&](const OldLink& old) { return old.router != leader; });
    if (LinkOf(d, w).router < 0) Connect(d, w, leader);
  }
  for (bool busy = true; busy;) {
    busy = false;
    for (int w = 0; w < kCheckedWorkers; ++w) {
      while (!LinkOf(d, w).old.empty()) DeliverOld(d, w, 0), busy = true;
      while (!LinkOf(d, w).up.empty()) DeliverUp(d, w), busy = true;
      while (!LinkOf(d, w).down.empty()) DeliverDown(d, w), busy = true;
      if (d.engine[w].building != kNone) FinishBuild(d, w, true), busy = true;
      if (d.engine[w].attaching) FinishAttach(d, w), busy = true;
      if (d.engine[w].attached != kNone && PeerGone(d, w)) {
        Step(d, w, WorkerInput{WorkerInput::Kind::kMeshBroke});
        busy = true;
      }
    }
  }
  // A member whose own router is gone has not heard it for another step's time.
  for (int w = 0; w < kCheckedWorkers; ++w) {
    Step(d, w, WorkerInput{WorkerInput::Kind::kTimePasses});
    if (LinkOf(d, w).router >= 0) Step(d, w, WorkerInput{WorkerInput::Kind::kBeat});
  }
  for (int w = 0; w < kCheckedWorkers; ++w) {
    while (!LinkOf(d, w).up.empty()) DeliverUp(d, w);
  }
  TimeAtRouter(d, leader);
}

bool CheckedWorld::Serves(const Draft& d, int leader) const {
  const Membership& router = machines_.router(d.world.router[leader]);
  if (!router.serving()) return false;
  int running = 0;
  for (const Engine& engine : d.engine) {
    running += engine.attached != kNone && machines_.group(engine.attached).epoch == router.epoch();
  }
  return running == options_.group_size;
}

bool CheckedWorld::Settles(const World& from, int leader) {
  World world = from;
  world.left = {0, 0, 0, 0, 0};
  world.past = kNone;
  std::vector<World> way;
  bool settles = false;
  for (int round = 0; round < kFairRounds; ++round) {
    const auto [it, is_new] = settles_[leader].try_emplace(world, false);
    if (!is_new) {
      settles = it->second;  // false as well for one that comes back to where it was
      break;
    }
    way.push_back(world);
    Draft draft = Open(world);
    FairRound(draft, leader);
    world = Close(draft);
    world.past = kNone;  // the past decides nothing here
    settles = Serves(draft, leader);
    if (settles) break;
  }
  for (const World& seen : way) settles_[leader][seen] = settles;
  return settles;
}

}  // namespace shoal
