#ifndef SHOAL_RUNTIME_ENGINE_SCHEDULER_H_
#define SHOAL_RUNTIME_ENGINE_SCHEDULER_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/engine/request.h"
#include "runtime/engine/sequence.h"
#include "runtime/kv/block_pool.h"

namespace shoal {

// What one rank computes in one pass. Spans point into the scheduler's books
// and live until its next call.
struct StepPlan {
  // Adjacent rows of one sequence.
  struct Piece {
    uint64_t sequence = 0;
    int64_t position = 0;  // of the first row
    absl::Span<const TokenId> ids;
    absl::Span<const int32_t> blocks;  // hold position + ids.size() positions
    bool samples = false;              // the last row yields the sequence's next token
    const Request* request = nullptr;  // the sequence's
    absl::Span<const TokenId> output;  // of the sequence, before this step

    int64_t end() const { return position + static_cast<int64_t>(ids.size()); }
  };
  std::vector<Piece> pieces;
  int64_t rows = 0;
};

// What a committed pass did, for counters.
struct StepTally {
  int64_t prompt_tokens = 0;  // rows that were prompt
  int64_t output_tokens = 0;
};

// Which rows run next: continuous batching under a budget of rows. Pure
// bookkeeping: no clock, thread, device or log, so a test can drive it through
// millions of histories. Thread-compatible.
//
// Policy. Sequences that decode come first, each with its one row; what is left
// of the budget goes to prompts, in order of arrival, cut to fit. Admission is
// first come, first served, and happens when the pool can promise the blocks of
// the whole request (prompt and all output): an admitted sequence never waits
// for another, so there is nothing to preempt and nothing that can deadlock.
// The blocks themselves are taken as the sequence grows.
//
// Invariants:
//   1. Effects happen in Commit alone: after Drop, or when ended in between, a
//      pass never happened.
//   2. Every Add that returned OK is answered by exactly one terminal output.
//   3. If anything is live and no pass is in flight, Next() has rows: there is
//      progress in every step, and no waiting on what cannot come.
class Scheduler {
 public:
  struct Options {
    int max_sequences = 0;     // admitted at once
    int max_batch_tokens = 0;  // rows of a step
  };

  // INVALID_ARGUMENT when an option is not positive, or when the budget is
  // smaller than the number of sequences (decoding could then starve prompts).
  static absl::Status Validate(const Options& options);

  // REQUIRES: Validate(options); the pool outlives it.
  Scheduler(const Options& options, BlockPool& pool);

  // REQUIRES: the key is not live, the prompt is not empty, max_output_tokens
  // exceeds emitted.size(), and the pool in its entirety can hold the request.
  void Add(Request request);
  // Ends it with kCancelled; unknown keys are ignored.
  void Cancel(const GenerationKey& key);
  // Ends everything with `error`, which is not OK.
  void FailAll(const absl::Status& error);
  // Ends what cannot have another token by its deadline with kTimeLimit.
  void EndLate(absl::Time now, absl::Duration step_estimate);

  // Ends the late, admits, and plans a pass; with rows it is in flight until
  // Commit or Drop. REQUIRES: none is in flight.
  const StepPlan& Next(absl::Time now, absl::Duration step_estimate);

  // The pass in flight has succeeded. samples[i] belongs to the i-th piece of
  // the plan that samples; an error ends its sequence with it. The outputs go to
  // TakeOutputs(). Pieces whose sequence has ended since are skipped.
  StepTally Commit(absl::Span<const absl::StatusOr<TokenId>> samples);
  // The pass in flight has failed.
  void Drop();

  // Outputs since the last call, in order.
  std::vector<StepOutput> TakeOutputs();

  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }
  int live() const { return running() + waiting(); }
  // Of all live sequences; InfiniteFuture without any.
  absl::Time earliest_deadline() const;

  // Law 4 over all leases; see BlockPool::Audit.
  absl::Status Audit() const;

 private:
  void Admit();
  void AddPiece(Sequence& sequence, int64_t rows);
  // Appends the token and puts it out; ends the sequence if it was the last, or an error.
  void CommitSample(Sequence& sequence, const absl::StatusOr<TokenId>& sample);
  void End(Sequence& sequence, StepOutput terminal);
  static StepOutput OutputOf(const Sequence& sequence);
  static StepOutput Finished(const Sequence& sequence, FinishReason reason);

  const Options options_;
  BlockPool& pool_;

  uint64_t next_number_ = 0;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Sequence>> sequences_;
  absl::flat_hash_map<GenerationKey, uint64_t> numbers_;
  absl::btree_set<uint64_t> waiting_;                           // by arrival
  absl::btree_set<uint64_t> running_;                           // admission is by arrival too
  absl::btree_set<std::pair<absl::Time, uint64_t>> deadlines_;  // finite ones

  StepPlan plan_;
  bool in_flight_ = false;
  std::vector<StepOutput> outputs_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_SCHEDULER_H_
