#include "runtime/constraint/machine.h"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <map>

namespace shoal {
namespace {

constexpr StructureKey kBottomKey = {.high = 1, .low = 2};

const StructureKey& KeyOf(const FramePtr& frame) {
  return frame == nullptr ? kBottomKey : frame->key;
}

void Mix(const std::vector<Thread>& threads, StructureKey* key) {
  for (const Thread& thread : threads) {
    key->Mix(static_cast<uint64_t>(thread.state));
    key->Mix(KeyOf(thread.frame));
  }
}

bool Same(const Thread& a, const Thread& b) {
  return a.state == b.state && (a.frame == b.frame || KeyOf(a.frame) == KeyOf(b.frame));
}

void SortDistinct(std::vector<Thread>* threads) {
  if (threads->size() < 2) return;
  std::sort(threads->begin(), threads->end(), [](const Thread& a, const Thread& b) {
    return a.state != b.state ? a.state < b.state : KeyOf(a.frame) < KeyOf(b.frame);
  });
  threads->erase(std::unique(threads->begin(), threads->end(), Same), threads->end());
}

// Calls that are about to begin: by the rule's rank, because a rule may begin by
// calling those of higher rank, and by depth.
class PendingCalls {
 public:
  PendingCalls(const Program& program, int32_t bottom_depth)
      : program_(program), bottom_depth_(bottom_depth) {}

  void AddFrom(const Thread& caller) {
    const int32_t depth = Machine::DepthOf(caller.frame, bottom_depth_);
    for (const Program::Call& call : program_.Calls(caller.state)) {
      const Program::Rule& rule = program_.rule(call.rule);
      const int32_t inner = depth + rule.cost;
      if (depth + program_.height(call.next) > program_.nesting()) continue;
      if (inner + program_.height(rule.start) > program_.nesting()) continue;
      Callers& callers = by_rank_[{rule.rank, inner}];
      callers.start = rule.start;
      callers.threads.push_back({call.next, caller.frame});
    }
  }

  bool empty() const { return by_rank_.empty(); }

  // The thread inside the first of them, whose frame is final now.
  Thread TakeFirst() {
    const auto first = by_rank_.begin();
    auto frame = std::make_shared<Frame>();
    frame->callers = std::move(first->second.threads);
    frame->depth = first->first.second;
    SortDistinct(&frame->callers);
    frame->key.Mix(static_cast<uint64_t>(frame->depth));
    Mix(frame->callers, &frame->key);
    const int32_t start = first->second.start;
    by_rank_.erase(first);
    return {start, std::move(frame)};
  }

 private:
  struct Callers {
    int32_t start = 0;
    std::vector<Thread> threads;
  };
  const Program& program_;
  const int32_t bottom_depth_;
  std::map<std::pair<int32_t, int32_t>, Callers> by_rank_;
};

}  // namespace

void StructureKey::Mix(uint64_t value) {
  // Two lanes of 64 bits, each a multiply and a fold of its own.
  high = (high ^ value) * 0xFF51AFD7ED558CCD;
  high ^= high >> 32;
  low = (low + value + (high << 7)) * 0x9FB21C651E98DF25;
  low ^= low >> 29;
}

void StructureKey::Mix(const StructureKey& other) {
  Mix(other.high);
  Mix(other.low);
}

StructureKey Configuration::Key() const {
  StructureKey key;
  key.Mix(is_end ? 1 : 0);
  Mix(threads, &key);
  return key;
}

Configuration Machine::Start() const { return Close({{program_.rule(0).start, nullptr}}, 0); }

Configuration Machine::Step(const Configuration& from, uint8_t byte, int32_t bottom_depth) const {
  std::vector<Thread> moved;
  for (const Thread& thread : from.threads) {
    const int32_t next = program_.Next(thread.state, byte);
    if (next == Program::kDead) continue;
    const int32_t depth = DepthOf(thread.frame, bottom_depth);
    if (depth + program_.height(next) > program_.nesting()) continue;
    moved.push_back({next, thread.frame});
  }
  return Close(std::move(moved), bottom_depth);
}

Configuration Machine::Close(std::vector<Thread> threads, int32_t bottom_depth) const {
  Configuration closed;
  const auto is_plain = [this](const Thread& thread) { return program_.IsPlain(thread.state); };
  if (!std::all_of(threads.begin(), threads.end(), is_plain)) {
    for (size_t i = 0; i < threads.size(); ++i) {  // grows
      if (!program_.IsEnd(threads[i].state)) continue;
      const FramePtr frame = threads[i].frame;
      if (frame == nullptr) {
        closed.is_end = true;
        continue;
      }
      for (const Thread& caller : frame->callers) {
        const bool is_known = std::any_of(threads.begin(), threads.end(),
                                          [&](const Thread& t) { return Same(t, caller); });
        if (!is_known) threads.push_back(caller);
      }
    }
    PendingCalls pending(program_, bottom_depth);
    for (const Thread& thread : threads) pending.AddFrom(thread);
    while (!pending.empty()) {
      threads.push_back(pending.TakeFirst());
      pending.AddFrom(threads.back());
    }
  }
  SortDistinct(&threads);
  for (Thread& thread : threads) {
    if (program_.HasBytes(thread.state)) closed.threads.push_back(std::move(thread));
  }
  return closed;
}

}  // namespace shoal
