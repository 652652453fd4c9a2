#include "runtime/constraint/trie_walk.h"

namespace shoal {

TrieWalk::TrieWalk(const Program& program, const Vocabulary& vocabulary, int32_t bottom_depth,
                   absl::Span<uint64_t> bits, std::vector<uint32_t>* exits)
    : program_(program),
      machine_(program),
      nodes_(vocabulary.nodes()),
      bottom_depth_(bottom_depth),
      bits_(bits),
      exits_(exits),
      states_(vocabulary.longest_token() + 1) {}

void TrieWalk::Below(uint32_t node, const Thread& thread) {
  const int32_t room = program_.nesting() - Machine::DepthOf(thread.frame, bottom_depth_);
  const Vocabulary::Node* const nodes = nodes_.data();
  const uint32_t end = nodes[node].end;
  states_[nodes[node].depth] = thread.state;
  for (uint32_t i = node + 1; i < end;) {
    const Vocabulary::Node& at = nodes[i];
    const int32_t state = program_.Next(states_[at.depth - 1], at.byte);
    if (state == Program::kDead || program_.height(state) > room) {
      i = at.end;
      continue;
    }
    Allow(at);
    states_[at.depth] = state;
    if (program_.IsPlain(state) || at.end == i + 1) {
      ++i;
      continue;
    }
    if (thread.frame == nullptr && program_.Calls(state).empty()) {
      // The end of the bottom rule, which may also go on.
      if (exits_ != nullptr) exits_->push_back(i);
      i = program_.HasBytes(state) ? i + 1 : at.end;
      continue;
    }
    // Overwrites states_ only deeper than the siblings of `at` look.
    Below(i, machine_.Close({{state, thread.frame}}, bottom_depth_));
    i = at.end;
  }
}

void TrieWalk::Below(uint32_t node, const Configuration& at) {
  if (at.is_end && exits_ != nullptr) exits_->push_back(node);
  if (at.threads.size() == 1) {
    Below(node, at.threads[0]);
    return;
  }
  for (uint32_t i = node + 1; i < nodes_[node].end; i = nodes_[i].end) {
    const Configuration next = machine_.Step(at, nodes_[i].byte, bottom_depth_);
    if (!next.is_alive()) continue;
    Allow(nodes_[i]);
    if (nodes_[i].end > i + 1) Below(i, next);
  }
}

}  // namespace shoal
