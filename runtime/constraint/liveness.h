#ifndef SHOAL_RUNTIME_CONSTRAINT_LIVENESS_H_
#define SHOAL_RUNTIME_CONSTRAINT_LIVENESS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "runtime/constraint/limits.h"
#include "runtime/constraint/program.h"

namespace shoal {

// Establishes a Program's invariants once its states are there: finds which
// rules recurse, orders them, computes every state's height and cuts what cannot
// end.
class Liveness {
 public:
  Liveness(const ConstraintLimits& limits, Program* program);

  absl::Status Run();

 private:
  void FindRecursion();
  absl::Status RankRules();
  absl::Status FindHeights();
  void Cut();

  const ConstraintLimits& limits_;
  Program& program_;
  std::vector<std::vector<int32_t>> callees_;  // by rule
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_LIVENESS_H_
