#ifndef SHOAL_TESTS_PARITY_SABOTEURS_H_
#define SHOAL_TESTS_PARITY_SABOTEURS_H_

#include <memory>

#include "runtime/device/ops.h"
#include "runtime/moe/exchange.h"
#include "runtime/moe/placement.h"

namespace shoal {

// Faults that law 1 forbids, each as small as such a fault is in practice.  A test of the law must
// go red with each of them; one that stays green tests nothing.  Host memory only.

// Adds a row's experts in the order of the ranks they live on, this rank's first, instead of by id
// (breaks N9).
std::unique_ptr<Ops> CombineByRank(Ops& real, const ExpertPlacement& placement, int rank);

// Rounds an expert's output for its journey, so only if it travels (breaks N4).
std::unique_ptr<ExpertExchange> CastAfterDispatch(ExpertExchange& real,
                                                  const ExpertPlacement& placement, int rank);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_SABOTEURS_H_
