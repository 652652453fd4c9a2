#ifndef SHOAL_TESTS_SHAPES_PROCESS_GROUP_H_
#define SHOAL_TESTS_SHAPES_PROCESS_GROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/shapes/shape_rank.h"
#include "tests/shapes/workload.h"

namespace shoal {

// What one step of a workload took.
struct GroupStep {
  double wall = 0;                     // seconds, on rank 0, between agreements
  StepCost cost;                       // of all ranks together
  double agreement = 0;                // processor seconds of all ranks: the vote before the step
  std::map<int, std::string> digests;  // by sequence: SHA-256 of its logits
};

// Ranks that are processes, over a TCP mesh on loopback, as workers are (one rank: no mesh).  They
// wait without burning anything between runs.  A rank that fails ends the program: this is a
// benchmark's.
class ProcessGroup {
 public:
  // REQUIRES: this process has one thread (it forks).
  ProcessGroup(const std::string& folder, int ranks, int threads_each);
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  ~ProcessGroup();

  // Waits until all ranks are loaded; their resident bytes together.
  int64_t WaitLoaded();
  // A step to get warm, then `steps`; their mean.
  GroupStep Run(const Workload& workload, int steps);

 private:
  struct Child {
    pid_t pid = 0;
    int commands = -1, replies = -1;  // pipes
  };
  std::vector<Child> children_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SHAPES_PROCESS_GROUP_H_
