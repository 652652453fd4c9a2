#ifndef SHOAL_TESTS_SHAPES_THREAD_GROUP_H_
#define SHOAL_TESTS_SHAPES_THREAD_GROUP_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tests/shapes/workload.h"

namespace shoal {

// What a group of ranks made of some workloads.
struct GroupResult {
  std::vector<std::map<int, std::vector<float>>> logits;  // by workload, then sequence
  std::vector<double> seconds;                            // of each workload's step, rank 0's
  std::vector<int64_t> bytes_read;                        // of the checkpoint, by rank
};

// Loads a checkpoint into `ranks` ranks, one thread each, and runs one step of each workload.
// Loading is one rank after the other: its memory traffic is measured elsewhere.
absl::StatusOr<GroupResult> RunThreadGroup(const std::string& folder, int ranks,
                                           const std::vector<Workload>& workloads);

}  // namespace shoal

#endif  // SHOAL_TESTS_SHAPES_THREAD_GROUP_H_
