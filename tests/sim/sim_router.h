// A router process in virtual time: membership, fences, the table of generations, its clients.

#ifndef SHOAL_TESTS_SIM_SIM_ROUTER_H_
#define SHOAL_TESTS_SIM_SIM_ROUTER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/router/backend.h"
#include "services/router/cluster/attempt_fence.h"
#include "services/router/cluster/membership.h"
#include "services/router/session/generation_table.h"
#include "tests/sim/fibers.h"
#include "tests/sim/sim_history.h"

namespace shoal {

// An ordered stream: what was sent before it closed and has not arrived is lost.
struct SimStream {
  bool open = true;
  absl::Time last;  // arrival
};

struct SimSaboteurs {
  bool no_fence = false;       // R4: whatever comes up the stream counts
  bool resubmit = false;       // M8: what a rank died with goes to the next one
  bool repeat_tokens = false;  // no saboteur: streams that say things twice, which the fence sees
};

// Carries the router's words to worker processes, and says which are there.
class SimNetwork {
 public:
  virtual ~SimNetwork() = default;
  virtual void ToWorker(ConnectionId join, v1::RouterMessage message) = 0;
  virtual void CloseJoin(ConnectionId join) = 0;
  virtual void SubmitTo(const std::shared_ptr<SimStream>& data, ConnectionId join,
                        const v1::Submit& submit) = 0;
  virtual void CancelAt(const std::shared_ptr<SimStream>& data, ConnectionId join,
                        const std::string& generation, uint32_t attempt) = 0;
};

// As services/router/cluster has it: one control fiber; links with a fence each.
class SimRouter final : public Backend {
 public:
  SimRouter(MembershipOptions options, const SimSaboteurs& saboteurs, SimNetwork& network,
            const FiberClock& clock, SimHistory& history);

  Membership& membership() { return membership_; }
  GenerationTable& table() { return table_; }
  void Do(Membership::Actions actions);
  void Start(GenerationSpec spec, const Request& request);
  void OnTokens(const std::shared_ptr<SimStream>& data, ConnectionId from,
                const v1::Tokens& tokens);
  // A data stream breaks; it is dialled again at once.
  void BreakData(ConnectionId link, const std::string& why);
  std::shared_ptr<SimStream> DataOf(ConnectionId link) const;
  // Lets the clients read what there is.
  void Drain();
  std::vector<std::string> open() const;
  int groups() const { return groups_; }

  GroupSnapshot Snapshot() const override;
  absl::Status Submit(int32_t rank, const v1::Submit& submit) override;
  void Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) override;

 private:
  struct Link {
    std::shared_ptr<SimStream> data;
    AttemptFence fence;
  };
  void Lose(int rank, const absl::Status& why);
  void Resubmit();
  int RankOf(ConnectionId link) const;

  const SimSaboteurs saboteurs_;
  SimNetwork& network_;
  const FiberClock& clock_;
  SimHistory& history_;
  Membership membership_;
  GenerationTable table_;
  std::map<ConnectionId, Link> links_;
  std::vector<ConnectionId> by_rank_;  // while a group serves
  std::map<std::string, std::shared_ptr<Outbox>> clients_;
  std::map<std::string, std::pair<int, v1::Submit>> given_;  // to which rank
  std::vector<v1::Submit> lost_;                             // what the saboteur resubmits
  int groups_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_SIM_ROUTER_H_
