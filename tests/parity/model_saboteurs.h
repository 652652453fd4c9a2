#ifndef SHOAL_TESTS_PARITY_MODEL_SABOTEURS_H_
#define SHOAL_TESTS_PARITY_MODEL_SABOTEURS_H_

#include <functional>
#include <memory>

#include "runtime/device/ops.h"

namespace shoal {

// Faults of law 2, as published implementations have had them.  Everything else is `real`, which
// outlives what is returned.  Host memory only.

// Closed groups get 0.0 instead of -inf.
std::unique_ptr<Ops> ZeroMaskedGroups(Ops& real);

// The chosen experts are weighted by s', the bias included.
std::unique_ptr<Ops> BiasedWeights(Ops& real);

// The real gate under another config.
std::unique_ptr<Ops> GateWith(Ops& real, std::function<void(GateConfig&)> change);

// Rows of passes with a single row are rotated as if they stood one position earlier.
std::unique_ptr<Ops> DecodesOnePositionEarly(Ops& real);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_MODEL_SABOTEURS_H_
