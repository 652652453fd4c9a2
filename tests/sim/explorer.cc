#include "tests/sim/explorer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace shoal {

namespace {

// Worlds by number, in the order they were found, and where each came from.
class Seen {
 public:
  Seen() : numbers_(0, Hash{&worlds_}, Equal{&worlds_}) {}

  bool Add(const World& world, uint32_t parent, int choice) {
    worlds_.push_back(world);
    if (!numbers_.insert(static_cast<uint32_t>(worlds_.size() - 1)).second) {
      worlds_.pop_back();
      return false;
    }
    from_.push_back({parent, static_cast<uint16_t>(choice)});
    return true;
  }
  uint32_t size() const { return static_cast<uint32_t>(worlds_.size()); }
  const World& at(uint32_t i) const { return worlds_[i]; }

  std::vector<int> ChoicesTo(uint32_t i) const {
    std::vector<int> choices;
    for (; i != 0; i = from_[i].parent) choices.push_back(from_[i].choice);
    std::reverse(choices.begin(), choices.end());
    return choices;
  }

 private:
  struct Hash {
    const std::vector<World>* worlds;
    size_t operator()(uint32_t i) const { return absl::HashOf((*worlds)[i]); }
  };
  struct Equal {
    const std::vector<World>* worlds;
    bool operator()(uint32_t a, uint32_t b) const { return (*worlds)[a] == (*worlds)[b]; }
  };
  struct From {
    uint32_t parent;
    uint16_t choice;
  };
  std::vector<World> worlds_;
  std::vector<From> from_;
  absl::flat_hash_set<uint32_t, Hash, Equal> numbers_;
};

class Search {
 public:
  explicit Search(const ExploreOptions& options) : options_(options), world_(options.world) {}

  ExploreResult Run() {
    const absl::Time begin = absl::Now();
    seen_.Add(world_.Initial(), 0, 0);
    uint32_t end_of_depth = 1;
    for (; next_ < seen_.size(); ++next_) {
      if (next_ == end_of_depth) {
        ++result_.depth;
        end_of_depth = seen_.size();
      }
      if (seen_.size() >= options_.max_states || !result_.violation.empty()) break;
      if (next_ % 256 == 0 && absl::Now() - begin > options_.max_time) break;
      Expand();
    }
    result_.deepest = result_.depth + (seen_.size() > end_of_depth ? 1 : 0);
    result_.states = seen_.size();
    result_.frontier = seen_.size() - next_;
    result_.router_states = world_.machines().routers();
    result_.worker_states = world_.machines().workers();
    result_.digest_checks = world_.machines().cross_checks();
    result_.seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    if (!result_.violation.empty()) {
      result_.history = Replay(options_.world, result_.choices).history;
    }
    return std::move(result_);
  }

 private:
  void Expand() {
    const World from = seen_.at(next_);
    int choice = 0;
    world_.Successors(from, /*words=*/false, [&](const CheckedWorld::Next& next) {
      ++result_.transitions;
      const int mine = choice++;
      if (!result_.violation.empty()) return;
      if (!next.violation.empty()) {
        Found(next.violation, mine);
      } else if (seen_.Add(next.world, next_, mine)) {
        CheckSettles(next.world, mine);
      }
    });
  }

  void Found(const std::string& violation, int choice) {
    result_.violation = violation;
    result_.choices = seen_.ChoicesTo(next_);
    result_.choices.push_back(choice);
  }

  void CheckSettles(const World& world, int choice) {
    if (options_.settle_every == 0 || seen_.size() % options_.settle_every != 0) return;
    const auto turn = seen_.size() / options_.settle_every;
    const int leader = static_cast<int>(turn) % options_.world.routers;
    if (world_.Settles(world, leader)) {
      ++result_.settled;
    } else {
      Found(absl::StrCat("M7: no group serves though nothing goes wrong any more and router ",
                         leader, " stays"),
            choice);
    }
  }

  const ExploreOptions& options_;
  CheckedWorld world_;
  Seen seen_;
  uint32_t next_ = 0;
  ExploreResult result_;
};

}  // namespace

std::string ExploreResult::Figures() const {
  return absl::StrFormat(
      "%u states, %u transitions, complete to depth %d (deepest %d), frontier %u%s; M7 from %u; "
      "%u router and %u worker machine states, %u digests cross-checked; %.1f s, %.0f states/s",
      states, transitions, depth, deepest, frontier, frontier == 0 ? " (exhausted)" : "", settled,
      router_states, worker_states, digest_checks, seconds, states / std::max(seconds, 1e-9));
}

ExploreResult Explore(const ExploreOptions& options) { return Search(options).Run(); }

ExploreResult Replay(const WorldOptions& options, const std::vector<int>& choices) {
  CheckedWorld checked(options);
  World world = checked.Initial();
  ExploreResult result;
  for (const int choice : choices) {
    int index = 0;
    CheckedWorld::Next taken;
    checked.Successors(world, /*words=*/true, [&](const CheckedWorld::Next& next) {
      if (index++ == choice) taken = next;
    });
    world = taken.world;
    result.history.push_back(taken.what);
    result.choices.push_back(choice);
    result.violation = taken.violation;
  }
  return result;
}

}  // namespace shoal
