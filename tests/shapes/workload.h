#ifndef SHOAL_TESTS_SHAPES_WORKLOAD_H_
#define SHOAL_TESTS_SHAPES_WORKLOAD_H_

#include <cstdint>

namespace shoal {

// The rows of one step of a whole group: every sequence brings `rows` of them, at positions
// [position, position + rows), and wants the logits of its last.  What lies before `position` is an
// empty cache's zeros: the same work as any other line, without the steps that would fill it.
// Sequences are shared out over the ranks in order, as evenly as they go.
struct Workload {
  int sequences = 1, rows = 1, position = 0;
  int64_t total_rows() const { return int64_t{sequences} * rows; }
  // The sequences [first, end) of a rank.
  int FirstOf(int rank, int ranks) const {
    return static_cast<int>(int64_t{sequences} * rank / ranks);
  }
};

// The id at (sequence, position): no two rows of a step are alike.
inline int32_t TokenAt(int sequence, int position, int vocab) {
  return static_cast<int32_t>((int64_t{sequence} * 7919 + int64_t{position} * 104729 + 17) % vocab);
}

}  // namespace shoal

#endif  // SHOAL_TESTS_SHAPES_WORKLOAD_H_
