// The requests of a run, known before it begins.

#ifndef SHOAL_TOOLS_LOADGEN_WORKLOAD_H_
#define SHOAL_TOOLS_LOADGEN_WORKLOAD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/v1/inference.pb.h"

#include "tools/loadgen/trace.h"
#include "tools/loadgen/workload_spec.h"

namespace shoal::loadgen {

struct PlannedRequest {
  int64_t index = 0;
  absl::Duration arrival;                   // from the run's begin; 0 in a closed loop
  std::optional<int64_t> prefix_group;      // nothing: no shared prefix
  int64_t prompt_tokens = 0;                // the prefix included; words of a text
  int64_t output_tokens = 0;                // at most
  std::optional<int64_t> cancel_after;      // output tokens
  std::optional<double> tokens_per_second;  // how fast its client reads; nothing: at once
  uint64_t seed = 0;                        // of its sampling

  // Its client slows it down or ends it, so its latencies are not the cluster's.
  bool disturbed() const { return cancel_after.has_value() || tokens_per_second.has_value(); }
};

// A function of (spec, trace, model): request i is the same whatever the others are and whenever
// it is asked for. Immutable, therefore thread-safe.
class Workload {
 public:
  // `trace` is the file of --arrivals, empty where there is none. INVALID_ARGUMENT when the spec
  // contradicts itself, the trace or the model's limits, naming the flag and the two values.
  static absl::StatusOr<Workload> Create(WorkloadSpec spec, std::vector<TraceLine> trace,
                                         const v1::Model& model);

  const WorkloadSpec& spec() const { return spec_; }
  const v1::Model& model() const { return model_; }
  // How many there are; nothing: any number (a closed loop that ends by time).
  std::optional<int64_t> size() const { return size_; }

  // REQUIRES: 0 <= index < size().
  PlannedRequest At(int64_t index) const;
  // What is sent for it.
  v1::GenerateRequest RequestFor(const PlannedRequest& planned) const;

  // SHA-256 of the first `count` requests: when they arrive, every byte that is sent, and what
  // their clients do. Two runs with one digest asked the same.
  std::string Digest(int64_t count) const;

 private:
  Workload(WorkloadSpec spec, std::vector<TraceLine> trace, v1::Model model);
  absl::Status SetSize();
  absl::Status TakeTracesTimes();
  absl::Status DrawTimes();
  absl::Status CheckFits() const;
  int64_t LengthOf(const LengthSpec& lengths, int64_t index) const;

  WorkloadSpec spec_;
  std::vector<TraceLine> trace_;
  v1::Model model_;
  std::optional<int64_t> size_;
  std::vector<absl::Duration> arrivals_;  // of an open loop
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_WORKLOAD_H_
