#include "runtime/constraint/program.h"

#include "runtime/base/status_macros.h"
#include "runtime/constraint/determinize.h"
#include "runtime/constraint/liveness.h"
#include "runtime/constraint/nfa.h"

namespace shoal {

absl::StatusOr<Program> Program::Compile(const Grammar& grammar, const ConstraintLimits& limits) {
  ASSIGN_OR_RETURN(const Nfa nfa, MakeNfa(grammar, limits));
  Program program;
  RETURN_IF_ERROR(Determinizer(nfa, limits, &program).Run());
  RETURN_IF_ERROR(Liveness(limits, &program).Run());
  return program;
}

}  // namespace shoal
