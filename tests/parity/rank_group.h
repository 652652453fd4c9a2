#ifndef SHOAL_TESTS_PARITY_RANK_GROUP_H_
#define SHOAL_TESTS_PARITY_RANK_GROUP_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/model/model.h"
#include "runtime/moe/exchange.h"
#include "runtime/moe/placement.h"

namespace shoal {

// Positions [begin, begin + count) of a sequence: rows of one pass.
struct Piece {
  int sequence = 0, begin = 0, count = 0;
};
using PassPieces = std::vector<Piece>;         // what one rank brings to one pass; may be empty
using RankSchedule = std::vector<PassPieces>;  // pass by pass
using LogitsAt = std::map<std::pair<int, int>, std::vector<float>>;  // by (sequence, position)

// How a group of ranks, one thread each, runs a model.  All ranks run as many passes as the longest
// schedule.
struct GroupRun {
  std::string folder;                               // of the checkpoint
  std::vector<std::vector<TokenId>> sequences;      // each is served by one rank only
  std::vector<RankSchedule> schedules;              // [ranks]
  std::function<std::unique_ptr<Device>()> device;  // makes each rank's

  bool last_row_only = false;  // asks for the logits of each piece's last row instead of all
  std::function<PassObserver*(int rank)> observer;

  // Loads the MTP module as well and lets it guess after every pass (RunDrafts).
  bool mtp = false;

  // Where not given: experts in contiguous shares.
  const ExpertPlacement* placement = nullptr;
  // Saboteurs: what a rank uses instead of the real thing.
  std::function<std::unique_ptr<Ops>(Ops& real, const ExpertPlacement&, int rank)> wrap_ops;
  std::function<std::unique_ptr<ExpertExchange>(ExpertExchange& real, const ExpertPlacement&,
                                                int rank)>
      wrap_exchange;
};

// The logits of the rows that were asked for.
absl::StatusOr<LogitsAt> RunGroup(const GroupRun& run);

// The same with the MTP module: after every pass it takes each of the pass's rows whose next token
// the sequence holds.  Its logits stand under that token's position.  REQUIRES: run.mtp and not
// run.last_row_only.
absl::StatusOr<LogitsAt> RunDrafts(const GroupRun& run);

// One pass with all positions of one sequence.
RankSchedule InOnePass(int sequence, int length);
// Passes of the given sizes, one after the other.
RankSchedule InChunks(int sequence, const std::vector<int>& sizes);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_RANK_GROUP_H_
