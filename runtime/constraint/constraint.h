// Constrained generation: what a text may be, as masks over tokens.
//
//   ASSIGN_OR_RETURN(auto constraint, Constraint::Compile(spec, vocabulary));
//   ConstraintState state(constraint);
//   state.Mask(absl::MakeSpan(bits));         // before sampling
//   state.Advance(token);                     // after it

#ifndef SHOAL_RUNTIME_CONSTRAINT_CONSTRAINT_H_
#define SHOAL_RUNTIME_CONSTRAINT_CONSTRAINT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/constraint/bounded_cache.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/machine.h"
#include "runtime/constraint/program.h"
#include "runtime/constraint/spec.h"
#include "runtime/constraint/vocabulary.h"

namespace shoal {

// One constraint for one model's vocabulary. Immutable but for a cache of masks;
// thread-safe, shared by all sequences that have it.
class Constraint {
 public:
  // INVALID_ARGUMENT names what is wrong or too much (CompileSpec).
  static absl::StatusOr<std::shared_ptr<const Constraint>> Compile(
      const ConstraintSpec& spec, std::shared_ptr<const Vocabulary> vocabulary,
      const ConstraintLimits& limits = {});

  const Program& program() const { return program_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }

  // Writes what may follow `at`: bit id % 64 of bits[id / 64] is 1 iff the token
  // is allowed; the end tokens are iff the text can end there. Words beyond the
  // vocabulary are cleared. REQUIRES: bits.size() >= vocabulary().mask_words().
  void Mask(const Configuration& at, absl::Span<uint64_t> bits) const;

 private:
  using Bits = std::vector<uint64_t>;
  // What a thread allows if its frame is not looked at: tokens that stay in its
  // rule, or end with it; and the trie's nodes where others go on after it.
  struct RuleMask {
    Bits bits;
    std::vector<uint32_t> exits;
  };

  Constraint(Program program, std::shared_ptr<const Vocabulary> vocabulary, size_t cached_masks);

  Bits Compute(const Configuration& at) const;
  std::shared_ptr<const RuleMask> RuleMaskOf(const Thread& thread) const;

  const Program program_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  mutable BoundedCache<StructureKey, Bits> masks_;
  mutable BoundedCache<std::pair<int32_t, int32_t>, RuleMask> rule_masks_;  // by state and depth
};

// How far one sequence has come. Copies are two pointers: a copy taken before a
// speculation is the way back. Not thread-safe by itself; copies are apart.
class ConstraintState {
 public:
  explicit ConstraintState(std::shared_ptr<const Constraint> constraint);

  // Free at first: until `until` (such as </think>) has come, every token is
  // allowed but those that end a text. The constraint begins behind it.
  static ConstraintState FreeUntil(TokenId until, std::shared_ptr<const Constraint> constraint);

  // Takes the token. False, and nothing is changed, if it is not allowed here.
  [[nodiscard]] bool Advance(TokenId token);

  // As Constraint::Mask. Nothing is allowed behind an end token.
  void Mask(absl::Span<uint64_t> bits) const;

  // Whether what stands behind the free part is complete: an end token is allowed.
  bool accepting() const { return stage_ == Stage::kHeld && at_->is_end; }
  // Whether an end token has come.
  bool is_finished() const { return stage_ == Stage::kFinished; }
  bool is_free() const { return stage_ == Stage::kFree; }

 private:
  enum class Stage : uint8_t { kFree, kHeld, kFinished };

  std::shared_ptr<const Constraint> constraint_;
  std::shared_ptr<const Configuration> at_;
  TokenId free_until_ = Vocabulary::kNone;
  Stage stage_ = Stage::kHeld;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_CONSTRAINT_H_
