#include "runtime/constraint/constraint.h"

#include <algorithm>
#include <map>

#include "absl/strings/string_view.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/constraint/trie_walk.h"

namespace shoal {
namespace {

void SetBit(TokenId token, absl::Span<uint64_t> bits) {
  bits[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
}

void ClearBit(TokenId token, absl::Span<uint64_t> bits) {
  bits[static_cast<size_t>(token) / 64] &= ~(uint64_t{1} << (token % 64));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Constraint>> Constraint::Compile(
    const ConstraintSpec& spec, std::shared_ptr<const Vocabulary> vocabulary,
    const ConstraintLimits& limits) {
  ASSIGN_OR_RETURN(Program program, CompileSpec(spec, limits));
  return std::shared_ptr<const Constraint>(
      new Constraint(std::move(program), std::move(vocabulary), limits.cached_masks));
}

Constraint::Constraint(Program program, std::shared_ptr<const Vocabulary> vocabulary,
                       size_t cached_masks)
    : program_(std::move(program)),
      vocabulary_(std::move(vocabulary)),
      masks_(cached_masks),
      rule_masks_(cached_masks) {}

void Constraint::Mask(const Configuration& at, absl::Span<uint64_t> bits) const {
  const size_t words = vocabulary_->mask_words();
  CHECK_GE(bits.size(), words);
  const StructureKey key = at.Key();
  std::shared_ptr<const Bits> mask = masks_.Find(key);
  if (mask == nullptr) {
    mask = std::make_shared<const Bits>(Compute(at));
    masks_.Put(key, mask);
  }
  std::copy(mask->begin(), mask->end(), bits.begin());
  std::fill(bits.begin() + static_cast<ptrdiff_t>(words), bits.end(), 0);
}

// A token is allowed if one of the readings allows it, so the mask is the union
// of the threads'; a thread's is its rule's, which many texts share, and behind
// the rule's end what its callers go on with.
Constraint::Bits Constraint::Compute(const Configuration& at) const {
  const Machine machine(program_);
  Bits bits(vocabulary_->mask_words(), 0);
  // Threads of one call, or of equal ones, go on alike behind it.
  struct Behind {
    FramePtr frame;
    std::vector<uint32_t> exits;
  };
  std::map<StructureKey, Behind> by_frame;
  for (const Thread& thread : at.threads) {
    const std::shared_ptr<const RuleMask> in_rule = RuleMaskOf(thread);
    for (size_t w = 0; w < bits.size(); ++w) bits[w] |= in_rule->bits[w];
    if (thread.frame == nullptr) continue;
    Behind& behind = by_frame[thread.frame->key];
    behind.frame = thread.frame;
    behind.exits.insert(behind.exits.end(), in_rule->exits.begin(), in_rule->exits.end());
  }
  TrieWalk walk(program_, *vocabulary_, 0, absl::MakeSpan(bits), nullptr);
  for (auto& [key, behind] : by_frame) {
    std::sort(behind.exits.begin(), behind.exits.end());
    behind.exits.erase(std::unique(behind.exits.begin(), behind.exits.end()), behind.exits.end());
    const Configuration next = machine.Close(behind.frame->callers, 0);
    for (const uint32_t node : behind.exits) walk.Below(node, next);
  }
  if (at.is_end) {
    for (const TokenId end : vocabulary_->end_tokens()) SetBit(end, absl::MakeSpan(bits));
  }
  return bits;
}

std::shared_ptr<const Constraint::RuleMask> Constraint::RuleMaskOf(const Thread& thread) const {
  // Where nothing recursive is called, one mask serves every depth.
  const int32_t depth =
      program_.IsFlat(thread.state) ? 0 : Machine::DepthOf(thread.frame, /*bottom_depth=*/0);
  const std::pair<int32_t, int32_t> key(thread.state, depth);
  std::shared_ptr<const RuleMask> found = rule_masks_.Find(key);
  if (found != nullptr) return found;
  auto made = std::make_shared<RuleMask>();
  made->bits.resize(vocabulary_->mask_words(), 0);
  TrieWalk(program_, *vocabulary_, depth, absl::MakeSpan(made->bits), &made->exits)
      .Below(0, Thread{thread.state, nullptr});
  rule_masks_.Put(key, made);
  return made;
}

ConstraintState::ConstraintState(std::shared_ptr<const Constraint> constraint)
    : constraint_(std::move(constraint)),
      at_(std::make_shared<const Configuration>(Machine(constraint_->program()).Start())) {}

ConstraintState ConstraintState::FreeUntil(TokenId until,
                                           std::shared_ptr<const Constraint> constraint) {
  CHECK(!constraint->vocabulary().IsEnd(until)) << "an end token cannot begin the constraint";
  ConstraintState state(std::move(constraint));
  state.free_until_ = until;
  state.stage_ = Stage::kFree;
  return state;
}

bool ConstraintState::Advance(TokenId token) {
  const Vocabulary& vocabulary = constraint_->vocabulary();
  const bool is_end = vocabulary.IsEnd(token);
  switch (stage_) {
    case Stage::kFinished:
      return false;
    case Stage::kFree:
      if (is_end || token < 0 || static_cast<size_t>(token) >= vocabulary.size()) return false;
      if (token == free_until_) stage_ = Stage::kHeld;
      return true;
    case Stage::kHeld:
      break;
  }
  if (is_end) {
    if (!at_->is_end) return false;
    stage_ = Stage::kFinished;
    return true;
  }
  const absl::string_view bytes = vocabulary.BytesOf(token);
  if (bytes.empty()) return false;
  const Machine machine(constraint_->program());
  Configuration at = machine.Step(*at_, static_cast<uint8_t>(bytes[0]));
  for (size_t i = 1; i < bytes.size() && at.is_alive(); ++i) {
    at = machine.Step(at, static_cast<uint8_t>(bytes[i]));
  }
  if (!at.is_alive()) return false;
  at_ = std::make_shared<const Configuration>(std::move(at));
  return true;
}

void ConstraintState::Mask(absl::Span<uint64_t> bits) const {
  const Vocabulary& vocabulary = constraint_->vocabulary();
  switch (stage_) {
    case Stage::kFinished:
      std::fill(bits.begin(), bits.end(), 0);
      return;
    case Stage::kFree: {
      CHECK_GE(bits.size(), vocabulary.mask_words());
      const size_t whole = vocabulary.size() / 64;
      std::fill(bits.begin(), bits.begin() + static_cast<ptrdiff_t>(whole), ~uint64_t{0});
      std::fill(bits.begin() + static_cast<ptrdiff_t>(whole), bits.end(), 0);
      if (vocabulary.size() % 64 != 0) {
        bits[whole] = (uint64_t{1} << (vocabulary.size() % 64)) - 1;
      }
      for (const TokenId end : vocabulary.end_tokens()) ClearBit(end, bits);
      return;
    }
    case Stage::kHeld:
      constraint_->Mask(*at_, bits);
      return;
  }
}

}  // namespace shoal
