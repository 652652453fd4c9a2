#include "tests/sim/checked_world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

// Connections of a worker to one router are told apart by the last digit.
constexpr int kConnectionsPerWorker = 16;

void AppendTo(std::string* key, uint32_t n) {
  key->append(reinterpret_cast<const char*>(&n), sizeof(n));
}

void AppendTo(std::string* key, const std::vector<Id>& ids) {
  AppendTo(key, static_cast<uint32_t>(ids.size()));
  for (Id id : ids) AppendTo(key, id);
}

template <typename Part>
Id Intern(absl::flat_hash_map<std::string, Id>& ids, const std::string& key,
          std::deque<Part>& parts, const Part& part) {
  const auto [it, inserted] = ids.try_emplace(key, static_cast<Id>(parts.size()));
  if (inserted) parts.push_back(part);
  return it->second;
}

}  // namespace

CheckedWorld::CheckedWorld(WorldOptions options)
    : options_(std::move(options)), machines_(options_.seams, options_.group_size) {}

World CheckedWorld::Initial() {
  World world;
  for (int r = 0; r < options_.routers; ++r) {
    world.router[r] = machines_.NewRouter(options_.same_incarnation ? 1 : 50 + 10 * r);
  }
  for (int w = 0; w < kCheckedWorkers; ++w) {
    world.worker[w] = machines_.NewWorker(w, Incarnation(world, w));
    world.engine[w] = InternEngine({});
    world.link[w] = InternLink({});
  }
  world.past = InternPast({});
  if (options_.start == WorldOptions::Start::kServing) {
    Draft draft = Open(world);
    for (int round = 0; round < kFairRounds && !Serves(draft, 0); ++round) FairRound(draft, 0);
    world = Close(draft);
  }
  world.left = options_.budget;
  return world;
}

CheckedWorld::Draft CheckedWorld::Open(const World& world) const {
  Draft draft;
  draft.world = world;
  for (int w = 0; w < kCheckedWorkers; ++w) draft.engine[w] = engines_[world.engine[w]];
  return draft;
}

World CheckedWorld::Close(const Draft& draft) {
  World world = draft.world;
  for (int w = 0; w < kCheckedWorkers; ++w) {
    world.engine[w] = InternEngine(draft.engine[w]);
    if (draft.link[w]) world.link[w] = InternLink(*draft.link[w]);
  }
  if (draft.past) world.past = InternPast(*draft.past);
  return world;
}

Id CheckedWorld::InternEngine(const Engine& engine) {
  std::string key;
  for (Id id : {engine.building, engine.built, engine.attached, Id{engine.attaching}}) {
    AppendTo(&key, id);
  }
  return Intern(engine_ids_, key, engines_, engine);
}

Id CheckedWorld::InternLink(const Link& link) {
  std::string key;
  AppendTo(&key, static_cast<uint32_t>(link.router));
  AppendTo(&key, static_cast<uint32_t>(link.connection));
  AppendTo(&key, link.up);
  AppendTo(&key, link.down);
  AppendTo(&key, link.last_beat);
  for (const OldLink& old : link.old) {
    AppendTo(&key, static_cast<uint32_t>(old.router));
    AppendTo(&key, static_cast<uint32_t>(old.connection));
    AppendTo(&key, old.up);
  }
  return Intern(link_ids_, key, links_, link);
}

Id CheckedWorld::InternPast(const Past& past) {
  std::string key;
  for (const Process& p : past) {
    AppendTo(&key, static_cast<uint32_t>(p.incarnation));
    AppendTo(&key, p.group);
  }
  return Intern(past_ids_, key, pasts_, past);
}

// ---- the machines and what they want done ----

void CheckedWorld::Step(Draft& d, int r, const RouterInput& input) {
  const RouterOutcome& outcome = machines_.Step(d.world.router[r], input);
  if (!outcome.violation.empty()) Violate(d, outcome.violation);
  d.world.router[r] = outcome.next;
  for (const RouterEffect& effect : outcome.effects) Apply(d, r, effect);
}

void CheckedWorld::Step(Draft& d, int w, const WorkerInput& input) {
  const WorkerOutcome& outcome = machines_.Step(d.world.worker[w], input);
  if (!outcome.violation.empty()) Violate(d, outcome.violation);
  d.world.worker[w] = outcome.next;
  for (const WorkerEffect& effect : outcome.effects) Apply(d, w, effect);
}

void CheckedWorld::Apply(Draft& d, int r, const RouterEffect& effect) {
  if (effect.kind == RouterEffect::Kind::kUp) return CheckServing(d, r, effect.by_rank);
  if (effect.kind == RouterEffect::Kind::kDown) return;
  if (effect.kind == RouterEffect::Kind::kSend) {
    const v1::RouterMessage& message = machines_.down(effect.message);
    if (message.has_prepare()) CheckPrepare(d, machines_.GroupOf(message.prepare()));
    if (message.has_commit()) CheckCommit(d, message.commit().epoch());
  }
  const int w = effect.connection / kConnectionsPerWorker;
  const Link& link = LinkOf(d, w);
  const bool open = link.down.empty() || link.down.back() != kClosed;
  if (link.router != r || link.connection != effect.connection || !open) return;
  EditLink(d, w).down.push_back(effect.kind == RouterEffect::Kind::kSend ? effect.message
                                                                         : kClosed);
}

void CheckedWorld::Apply(Draft& d, int w, const WorkerEffect& effect) {
  Engine& engine = d.engine[w];
  switch (effect.kind) {
    case WorkerEffect::Kind::kSend: {
      Link& link = EditLink(d, w);
      if (link.router < 0 || (!link.down.empty() && link.down.back() == kClosed)) return;
      link.up.push_back(effect.message);
      if (machines_.up(effect.message).has_beat()) link.last_beat = effect.message;
      return;
    }
    case WorkerEffect::Kind::kBuild:
      engine = {.building = effect.group};
      return;
    case WorkerEffect::Kind::kStopBuild:
      engine.building = engine.built = kNone;
      return;
    case WorkerEffect::Kind::kAttach:
      CheckAttach(d, w);
      engine = {.attached = engine.built, .attaching = true};
      return;
    case WorkerEffect::Kind::kLeave:
      engine = {};
      return;
    case WorkerEffect::Kind::kStop:
      return RestartWorker(d, w);
  }
}

void CheckedWorld::Connect(Draft& d, int w, int r) {
  Link& link = EditLink(d, w);
  int connection = w * kConnectionsPerWorker;
  const auto taken = [&](const OldLink& old) {
    return old.router == r && old.connection == connection;
  };
  while (std::any_of(link.old.begin(), link.old.end(), taken)) ++connection;
  link.router = r;
  link.connection = connection;
  Step(d, w, WorkerInput{WorkerInput::Kind::kConnected});
  // The first words of a stream both ways: nothing can come before them.
  while (!LinkOf(d, w).up.empty()) DeliverUp(d, w);
  const std::vector<Id>& down = LinkOf(d, w).down;
  if (!down.empty() && down.front() != kClosed && machines_.down(down.front()).has_welcome()) {
    DeliverDown(d, w);
  }
}

void CheckedWorld::DeliverUp(Draft& d, int w) {
  Link& link = EditLink(d, w);
  const Id message = link.up.front();
  link.up.erase(link.up.begin());
  Step(d, link.router, RouterInput{RouterInput::Kind::kMessage, link.connection, message});
}

void CheckedWorld::DeliverOld(Draft& d, int w, size_t i) {
  Link& link = EditLink(d, w);
  OldLink& old = link.old[i];
  const int r = old.router, connection = old.connection;
  const Id message = old.up.front();
  if (message == kClosed) {
    link.old.erase(link.old.begin() + static_cast<std::ptrdiff_t>(i));
    return Step(d, r, RouterInput{RouterInput::Kind::kClosed, connection});
  }
  old.up.erase(old.up.begin());
  Step(d, r, RouterInput{RouterInput::Kind::kMessage, connection, message});
}

void CheckedWorld::DeliverDown(Draft& d, int w) {
  Link& link = EditLink(d, w);
  const Id message = link.down.front();
  link.down.erase(link.down.begin());
  if (message != kClosed) {
    return Step(d, w, WorkerInput{WorkerInput::Kind::kMessage, message});
  }
  link.router = -1;  // the router's end is closed: it hears nothing more
  link.connection = 0;
  link.up.clear();
  link.last_beat = kNone;
  Step(d, w, WorkerInput{WorkerInput::Kind::kDisconnected});
}

void CheckedWorld::FinishBuild(Draft& d, int w, bool ok) {
  Engine& engine = d.engine[w];
  const Id group = std::exchange(engine.building, kNone);
  if (!ok) return Step(d, w, WorkerInput{WorkerInput::Kind::kBuildFailed});
  engine.built = group;
  if (!d.past) d.past = pasts_[d.world.past];
  const Process process{w, Incarnation(d.world, w), group};
  const auto at = std::lower_bound(d.past->begin(), d.past->end(), process);
  if (at == d.past->end() || *at != process) d.past->insert(at, process);
  Step(d, w, WorkerInput{WorkerInput::Kind::kBuilt});
}

void CheckedWorld::FinishAttach(Draft& d, int w) {
  d.engine[w].attaching = false;
  Step(d, w, WorkerInput{WorkerInput::Kind::kAttached});
}

// ---- what breaks ----

void CheckedWorld::BreakAtWorker(Draft& d, int w, bool words_arrive) {
  Link& link = EditLink(d, w);
  if (link.down.empty() || link.down.back() != kClosed) {  // else the router's end is closed
    OldLink& old = link.old.emplace_back();
    old.router = link.router;
    old.connection = link.connection;
    if (words_arrive) old.up = link.up;
    old.up.push_back(kClosed);
  }
  link.router = -1;
  link.connection = 0;
  link.up.clear();
  link.down.clear();
  link.last_beat = kNone;
  Step(d, w, WorkerInput{WorkerInput::Kind::kDisconnected});
}

void CheckedWorld::BreakAtRouter(Draft& d, int w) {
  Link& link = EditLink(d, w);
  const int r = link.router;
  link.up.clear();
  link.down.push_back(kClosed);
  Step(d, r, RouterInput{RouterInput::Kind::kClosed, link.connection});
}

void CheckedWorld::RestartWorker(Draft& d, int w) {
  if (LinkOf(d, w).router >= 0) BreakAtWorker(d, w, /*words_arrive=*/true);
  ++d.world.lives[w];
  d.world.worker[w] = machines_.NewWorker(w, Incarnation(d.world, w));
  d.engine[w] = {};
  d.world.leaving &= static_cast<uint8_t>(~(1 << w));
}

// Its last words are still on their way.
void CheckedWorld::RestartRouter(Draft& d, int r, bool lower) {
  for (int w = 0; w < kCheckedWorkers; ++w) {
    Link& link = EditLink(d, w);
    std::erase_if(link.old, [r](const OldLink& old) { return old.router == r; });
    if (link.router != r) continue;
    link.up.clear();
    if (link.down.empty() || link.down.back() != kClosed) link.down.push_back(kClosed);
  }
  const int n = ++d.world.started;
  const int incarnation = lower ? 49 - n : 70 + n;
  d.world.router[r] = machines_.NewRouter(options_.same_incarnation ? 1 : incarnation);
}

// Its workers turn to another; it hears of that, stream by stream.
void CheckedWorld::PassLease(Draft& d, int r) {
  for (int w = 0; w < kCheckedWorkers; ++w) {
    if (LinkOf(d, w).router == r) BreakAtWorker(d, w, /*words_arrive=*/true);
  }
}

// The workers may beat again.
void CheckedWorld::TimeAtRouter(Draft& d, int r) {
  for (int w = 0; w < kCheckedWorkers; ++w) {
    if (LinkOf(d, w).router == r) EditLink(d, w).last_beat = kNone;
  }
  Step(d, r, RouterInput{RouterInput::Kind::kTimePasses});
}

bool CheckedWorld::PeerGone(const Draft& d, int w) const {
  const Id group = d.engine[w].attached;
  const auto& members = machines_.group(group).members;
  return std::any_of(members.begin(), members.end(), [&](const auto& m) {
    const Engine& peer = d.engine[m.first];
    return Incarnation(d.world, m.first) != m.second ||
           (peer.building != group && peer.built != group && peer.attached != group);
  });
}

// ---- invariants ----

void CheckedWorld::Violate(Draft& d, std::string what) const {
  if (d.violation.empty()) d.violation = std::move(what);
}

bool CheckedWorld::Prepared(const Draft& d, Id group) const {
  const auto& members = machines_.group(group).members;
  const Past& past = PastOf(d);
  return std::all_of(members.begin(), members.end(), [&](const auto& m) {
    return std::binary_search(past.begin(), past.end(), Process{m.first, m.second, group});
  });
}

void CheckedWorld::CheckPrepare(Draft& d, Id group) const {
  if (options_.harm_only) return;
  const auto clashes = [&](Id other) {
    return other != kNone && other != group &&
           machines_.group(other).epoch == machines_.group(group).epoch;
  };
  bool clash = false;
  for (int w = 0; w < kCheckedWorkers; ++w) {
    const Engine& e = d.engine[w];
    clash |= clashes(e.building) || clashes(e.built) || clashes(e.attached);
    const Member& member = machines_.worker(d.world.worker[w]);
    if (member.promise() == machines_.group(group).epoch) {
      for (const Process& p : PastOf(d)) {
        clash |= p.worker == w && p.incarnation == Incarnation(d.world, w) && clashes(p.group);
      }
    }
  }
  if (clash) {
    Violate(
        d, absl::StrCat("M1: epoch ", EpochText(machines_.group(group).epoch), " has two layouts"));
  }
}

void CheckedWorld::CheckCommit(Draft& d, const v1::Epoch& epoch) const {
  if (options_.harm_only) return;
  for (Id group : machines_.GroupsOf(epoch)) {
    if (Prepared(d, group)) return;
  }
  Violate(d, absl::StrCat("R2: epoch ", EpochText(epoch), " is committed before all prepared it"));
}

void CheckedWorld::CheckAttach(Draft& d, int w) const {
  const Id group = d.engine[w].built;
  if (group == kNone) return Violate(d, "W3: a worker attached what it had not built");
  const GroupFacts& mine = machines_.group(group);
  if (mine.epoch != machines_.worker(d.world.worker[w]).committed()) {
    Violate(d, "W3: a worker attached another group than it committed to");
  }
  if (!Prepared(d, group) && !options_.harm_only) {
    Violate(d, absl::StrCat("M4: w", w, " runs epoch ", EpochText(mine.epoch),
                            " before its members are all prepared"));
  }
  for (int v = 0; v < kCheckedWorkers; ++v) {
    const Id other = d.engine[v].attached;
    if (v == w || other == kNone || other == group) continue;
    if (machines_.group(other).epoch != mine.epoch) continue;
    Violate(d, absl::StrCat("M1: w", w, " and w", v, " run epoch ", EpochText(mine.epoch),
                            " with different members (M3: their bytes would mix)"));
  }
}

void CheckedWorld::CheckServing(Draft& d, int r, const std::vector<int>& by_rank) const {
  for (Id group : machines_.GroupsOf(machines_.router(d.world.router[r]).epoch())) {
    const auto& members = machines_.group(group).members;
    bool same = members.size() == by_rank.size() && Prepared(d, group);
    for (size_t i = 0; same && i < by_rank.size(); ++i) {
      same = by_rank[i] / kConnectionsPerWorker == members[i].first;
    }
    if (same) return;
  }
  if (!options_.harm_only) Violate(d, "R3: a group serves without a live worker for every rank");
}

}  // namespace shoal
