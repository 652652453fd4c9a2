#ifndef SHOAL_TESTS_SHAPES_SHAPE_RANK_H_
#define SHOAL_TESTS_SHAPES_SHAPE_RANK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "runtime/comm/communicator.h"
#include "runtime/device/device.h"
#include "runtime/model/config.h"
#include "runtime/model/deepseek_load.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/arena.h"
#include "tests/shapes/workload.h"

namespace shoal {

// Where a step's time went, in seconds: processor time of this process, all threads.
struct StepCost {
  double cpu = 0;       // all of it
  double routed = 0;    // the routed experts' products
  double exchange = 0;  // dispatch and combine: packing, sockets, checks, unpacking
  StepCost& operator+=(const StepCost& other) {
    cpu += other.cpu, routed += other.routed, exchange += other.exchange;
    return *this;
  }
};

// One rank of a group: a CPU device, its share of a checkpoint, and steps of workloads.  One
// thread.
class ShapeRank {
 public:
  // `threads` compute.  Errors are LoadDeepSeek's and PlaceEvenly's.
  static absl::StatusOr<std::unique_ptr<ShapeRank>> Load(const std::string& folder, int ranks,
                                                         int rank, int threads);
  ~ShapeRank();

  const DeepSeekConfig& config() const { return config_; }
  const ExpertPlacement& placement() const { return placement_; }
  const LoadedModel& model() const { return *model_; }

  // Gets ready for steps of `workload` through `comm`, whose size is the group's and which outlives
  // them.  Collective only in so far as all ranks must prepare the same.
  absl::Status Prepare(const Workload& workload, Communicator& comm);
  // One step; adds to *cost.  Collective.
  absl::Status Step(StepCost* cost);
  // The last step's logits, by sequence; of this rank's sequences.
  std::map<int, std::vector<float>> Logits() const;

 private:
  struct Work;  // a workload that is prepared
  ShapeRank(DeepSeekConfig config, ExpertPlacement placement, int rank);

  const DeepSeekConfig config_;
  const ExpertPlacement placement_;
  const int rank_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<Work> work_;
};

// Positions that ShapeRank's models have rotations for.
inline constexpr int kShapePositions = 8192;

// Processor time in seconds of this process, and of this thread.
double ProcessSeconds();
double ThreadSeconds();

}  // namespace shoal

#endif  // SHOAL_TESTS_SHAPES_SHAPE_RANK_H_
