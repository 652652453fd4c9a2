#ifndef SHOAL_SERVICES_ROUTER_BACKEND_H_
#define SHOAL_SERVICES_ROUTER_BACKEND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/worker.pb.h"

namespace shoal {

// What the router knows of one rank at one moment.
struct RankLoad {
  int32_t rank = 0;
  bool accepting = false;  // its data stream is up and it is not draining
  int32_t running = 0, waiting = 0, max_waiting = 0;
  int64_t kv_blocks_free = 0, kv_blocks_total = 0;
};

struct GroupSnapshot {
  uint64_t epoch_number = 0, epoch_incarnation = 0;
  bool serving = false;
  std::string waiting_for;  // why it is not, in words a user may read
  std::vector<RankLoad> ranks;
};

// Hears what comes from the ranks.  Called from the backend's threads; must not block; calls for
// one rank are serial.
class BackendListener {
 public:
  virtual ~BackendListener() = default;
  virtual void OnTokens(int32_t rank, const v1::Tokens& tokens) = 0;
  // The rank's data stream broke or its epoch ended: every generation on it is gone, for the reason
  // given.
  virtual void OnRankLost(int32_t rank, const absl::Status& why) = 0;
};

// The group of workers as the sessions see it: the seam between the conversation (frontdoor,
// session) and the cluster (membership, streams).  Any thread.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual GroupSnapshot Snapshot() const = 0;
  // Hands the generation to `rank` of the current epoch; every later word on it reaches the
  // listener. UNAVAILABLE when the rank is not serving.
  virtual absl::Status Submit(int32_t rank, const v1::Submit& submit) = 0;
  virtual void Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) = 0;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_BACKEND_H_
