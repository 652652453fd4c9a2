#ifndef SHOAL_RUNTIME_ENGINE_PACKED_BATCH_H_
#define SHOAL_RUNTIME_ENGINE_PACKED_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/engine/scheduler.h"
#include "runtime/model/model.h"

namespace shoal {

// A plan's rows in the arrays that a model takes. Owns copies, so that the
// scheduler may go on while the pass runs; reuses their memory.
class PackedBatch {
 public:
  // The result lives until the next call.
  const Batch& Pack(const StepPlan& plan);

 private:
  std::vector<TokenId> ids_;                             // [T]
  std::vector<RowPlace> places_;                         // [T]
  std::vector<int32_t> blocks_;                          // of all pieces
  std::vector<absl::Span<const int32_t>> block_tables_;  // [pieces]
  std::vector<int32_t> logit_rows_;
  Batch batch_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_PACKED_BATCH_H_
