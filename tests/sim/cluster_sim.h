// A whole cluster in one thread and virtual time, over the very state machines that serve.

#ifndef SHOAL_TESTS_SIM_CLUSTER_SIM_H_
#define SHOAL_TESTS_SIM_CLUSTER_SIM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "services/router/cluster/attempt_fence.h"
#include "services/router/cluster/membership.h"
#include "services/worker/member.h"

namespace shoal {

struct SimOptions {
  uint64_t seed = 1;
  int workers = 3, routers = 1, group_size = 3;
  absl::Duration chaos = absl::Seconds(15);
  absl::Duration calm = absl::Seconds(60);  // M7: without faults the group must serve within it
  // What a saboteur replaces.
  std::function<std::unique_ptr<Member>(v1::Join)> make_member = [](v1::Join identity) {
    return std::make_unique<Member>(std::move(identity));
  };
  std::function<std::unique_ptr<Membership>(MembershipOptions)> make_membership =
      [](MembershipOptions o) { return std::make_unique<Membership>(std::move(o)); };
  bool forget_promises = false;     // workers' words about promises get lost on the way
  bool same_incarnation = false;    // routers do not draw one
  bool skip_attempt_check = false;  // R4
};

struct SimResult {
  std::string violation;  // the first one, empty when there is none; names the invariant
  int groups = 0;         // that served
  int faults = 0;
};

// Three kinds of things happen at random moments: words travel (late, twice, never), streams break,
// processes restart. After `chaos` the faults end and one router stays.
class ClusterSim {
 public:
  explicit ClusterSim(const SimOptions& options);
  SimResult Run();

 private:
  struct Worker {
    std::unique_ptr<Member> member;
    v1::Join identity;
    int router = -1;  // the one it is connected to
    ConnectionId connection = 0;
    v1::Epoch promise_seen, committed_seen;  // M2
    std::optional<v1::Prepare> building, built, attached;
    std::map<std::string, v1::GenerationTokens> generations;  // what it would send next
    uint64_t passes = 0;
  };
  struct Router {
    std::unique_ptr<Membership> membership;
    bool up = true;
    std::map<ConnectionId, int> workers;  // open streams
    std::map<std::string, uint32_t> attempts;
    AttemptFence fence;
  };

  void After(absl::Duration delay, std::function<void()> event);
  absl::Duration Delay();
  bool Chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  // Delivers now-ish, late, twice or never.
  void Travel(std::function<void()> arrive);

  void StartWorker(int w);
  void StartRouter(int r);
  void Connect(int w);
  void Disconnect(int w);
  void StopRouter(int r);
  void Fault();

  void Do(int w, Member::Actions actions);
  void Do(int r, Membership::Actions actions);
  void FinishBuild(int w, uint64_t incarnation, const v1::Epoch& epoch);
  void Submit(int r, const GroupUp& up);
  void Step(int w);  // one engine step of an attached worker
  void Receive(int r, const v1::GenerationTokens& tokens);

  void CheckWorker(int w);
  void CheckLayout(const v1::Prepare& prepare);
  void Violate(const std::string& what);
  bool Settled() const;

  const SimOptions options_;
  std::mt19937_64 random_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  bool faults_ = true;
  uint64_t next_incarnation_ = 100;
  ConnectionId next_connection_ = 1;
  std::multimap<absl::Time, std::function<void()>> events_;
  std::vector<Worker> workers_;
  std::vector<Router> routers_;

  // What the world remembers, for the invariants.
  std::map<std::string, std::string> layout_of_;         // M1: epoch -> layout
  std::set<std::pair<std::string, uint64_t>> prepared_;  // M4: (epoch, worker incarnation)
  std::map<std::string, int64_t> client_position_;       // M5: by router and generation
  SimResult result_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_CLUSTER_SIM_H_
