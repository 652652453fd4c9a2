#include "runtime/constraint/mask_check.h"

namespace shoal {

size_t MaskErrors(const ConstraintState& state, absl::Span<const uint64_t> mask, size_t size) {
  size_t errors = 0;
  for (size_t id = 0; id < size; ++id) {
    ConstraintState tried = state;
    const bool is_taken = tried.Advance(static_cast<TokenId>(id));
    const bool is_allowed = mask[id / 64] >> (id % 64) & 1;
    errors += is_taken != is_allowed ? 1 : 0;
  }
  return errors;
}

std::vector<uint64_t> MaskOf(const ConstraintState& state, size_t size) {
  std::vector<uint64_t> mask((size + 63) / 64, ~uint64_t{0});
  state.Mask(absl::MakeSpan(mask));
  return mask;
}

std::vector<TokenId> AllowedBy(absl::Span<const uint64_t> mask) {
  std::vector<TokenId> ids;
  for (size_t w = 0; w < mask.size(); ++w) {
    for (uint64_t rest = mask[w]; rest != 0; rest &= rest - 1) {
      ids.push_back(static_cast<TokenId>(w * 64 + static_cast<size_t>(__builtin_ctzll(rest))));
    }
  }
  return ids;
}

}  // namespace shoal
