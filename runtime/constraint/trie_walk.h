#ifndef SHOAL_RUNTIME_CONSTRAINT_TRIE_WALK_H_
#define SHOAL_RUNTIME_CONSTRAINT_TRIE_WALK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/constraint/machine.h"
#include "runtime/constraint/program.h"
#include "runtime/constraint/vocabulary.h"

namespace shoal {

// Finds the tokens that a Program allows, by following the trie of a vocabulary
// as far as readings live. One walk, one thread.
class TrieWalk {
 public:
  // Sets bits in `bits` (vocabulary.mask_words() words), clears none. The nodes
  // that have others below them and where the bottom rule ends are appended to
  // `exits`, unless it is null.
  TrieWalk(const Program& program, const Vocabulary& vocabulary, int32_t bottom_depth,
           absl::Span<uint64_t> bits, std::vector<uint32_t>* exits);

  // Follows what is below `node`, whose bytes led to `thread`; by its bytes
  // alone: no calls from there, no end.
  void Below(uint32_t node, const Thread& thread);
  // The same for all readings together.
  void Below(uint32_t node, const Configuration& at);

 private:
  void Allow(const Vocabulary::Node& node) {
    if (node.token < 0) return;
    bits_[static_cast<size_t>(node.token) / 64] |= uint64_t{1} << (node.token % 64);
  }

  const Program& program_;
  const Machine machine_;
  const absl::Span<const Vocabulary::Node> nodes_;
  const int32_t bottom_depth_;
  const absl::Span<uint64_t> bits_;
  std::vector<uint32_t>* const exits_;
  std::vector<int32_t> states_;  // of the thread that is followed, by depth in the trie
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_TRIE_WALK_H_
