// A set of measurements in a few numbers.

#ifndef SHOAL_TOOLS_LOADGEN_PERCENTILES_H_
#define SHOAL_TOOLS_LOADGEN_PERCENTILES_H_

#include <cstdint>
#include <vector>

namespace shoal::loadgen {

// Percentiles are by nearest rank: p is the smallest measurement that at least p percent of them do
// not exceed. So each is a value that was measured, and nothing is interpolated or bucketed.
struct Percentiles {
  int64_t count = 0;  // where it is 0, so is everything
  double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};

Percentiles PercentilesOf(std::vector<double> values);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_PERCENTILES_H_
