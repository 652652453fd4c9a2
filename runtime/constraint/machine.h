// Where a text stands in a Program: all the ways to read it at once.

#ifndef SHOAL_RUNTIME_CONSTRAINT_MACHINE_H_
#define SHOAL_RUNTIME_CONSTRAINT_MACHINE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/constraint/program.h"

namespace shoal {

// A fingerprint of a structure: 128 bits, so that equal means equal. Whoever
// could find a collision would spoil the output of his own constraint only.
struct StructureKey {
  uint64_t high = 0x9E3779B97F4A7C15;
  uint64_t low = 0xC2B2AE3D27D4EB4F;

  void Mix(uint64_t value);
  void Mix(const StructureKey& other);

  friend auto operator<=>(const StructureKey&, const StructureKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const StructureKey& key) {
    return H::combine(std::move(h), key.high, key.low);
  }
};

struct Frame;
// Null: the bottom. Its rule's end is the end of the text, or of the part that
// is looked at.
using FramePtr = std::shared_ptr<const Frame>;

// One way to read the text: in `state`, in a rule called from `frame`.
struct Thread {
  int32_t state;
  FramePtr frame;
};

// A call under way, of everyone who began it at the same byte at the same depth
// (Tomita's graph-structured stack): this, and that readings merge, is why
// ambiguous grammars take no exponential room. Immutable.
struct Frame {
  std::vector<Thread> callers;  // where each goes on after the call
  int32_t depth;                // recursive calls on the way here
  StructureKey key;
};

struct Configuration {
  // In states with bytes, by (state, frame's key), distinct. Each can reach the end.
  std::vector<Thread> threads;
  // The bottom rule can end here.
  bool is_end = false;

  bool is_alive() const { return is_end || !threads.empty(); }
  StructureKey Key() const;
};

// The steps of a Program; stateless. `bottom_depth` is the depth at which the
// bottom lies: 0 for a whole text.
class Machine {
 public:
  explicit Machine(const Program& program) : program_(program) {}

  Configuration Start() const;

  // After one more byte; not alive if no reading allows it.
  Configuration Step(const Configuration& from, uint8_t byte, int32_t bottom_depth = 0) const;

  // All that can come next without a byte: ends popped, calls begun.
  Configuration Close(std::vector<Thread> threads, int32_t bottom_depth) const;

  static int32_t DepthOf(const FramePtr& frame, int32_t bottom_depth) {
    return frame == nullptr ? bottom_depth : frame->depth;
  }

 private:
  const Program& program_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_MACHINE_H_
