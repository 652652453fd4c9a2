#include "tools/loadgen/percentiles.h"

#include <algorithm>
#include <numeric>

namespace shoal::loadgen {

Percentiles PercentilesOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  // In integers: 0.95 * 20 is not 19 in binary.
  const auto rank = [&](size_t percent) { return values[(percent * n + 99) / 100 - 1]; };
  return {.count = static_cast<int64_t>(n),
          .mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(n),
          .p50 = rank(50),
          .p90 = rank(90),
          .p95 = rank(95),
          .p99 = rank(99),
          .max = values.back()};
}

}  // namespace shoal::loadgen
