#ifndef SHOAL_RUNTIME_CONSTRAINT_MASK_CHECK_H_
#define SHOAL_RUNTIME_CONSTRAINT_MASK_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/constraint/constraint.h"

namespace shoal {

// For tests: of how many ids below `size` the mask says something else than a
// copy of the state that tries to take the token.
size_t MaskErrors(const ConstraintState& state, absl::Span<const uint64_t> mask, size_t size);

std::vector<uint64_t> MaskOf(const ConstraintState& state, size_t size);
std::vector<TokenId> AllowedBy(absl::Span<const uint64_t> mask);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_MASK_CHECK_H_
