#ifndef SHOAL_RUNTIME_METRICS_BUCKETS_H_
#define SHOAL_RUNTIME_METRICS_BUCKETS_H_

#include "prometheus/histogram.h"

namespace shoal {

// Upper bounds of histogram buckets, in seconds unless named otherwise.
inline prometheus::Histogram::BucketBoundaries StepSecondsBuckets() {
  return {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
          0.01, 0.025,  0.05, 0.1,  0.25,   0.5,  1,    2.5,    10};
}
inline prometheus::Histogram::BucketBoundaries TtftSecondsBuckets() {
  return {.01, .025, .05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 40, 80, 160};
}
inline prometheus::Histogram::BucketBoundaries ItlSecondsBuckets() {
  return {.005, .01, .015, .02, .025, .03, .04, .05, .075, .1, .15, .2, .3, .5, 1, 2.5};
}
// Reasoning is long: up to 800 s.
inline prometheus::Histogram::BucketBoundaries E2eSecondsBuckets() {
  return {.1, .25, .5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 480, 800};
}
// Tokens, in powers of two.
inline prometheus::Histogram::BucketBoundaries TokenBuckets() {
  prometheus::Histogram::BucketBoundaries buckets;
  for (double n = 1; n <= 131072; n *= 2) buckets.push_back(n);
  return buckets;
}
inline prometheus::Histogram::BucketBoundaries BatchTokenBuckets() {
  return {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_METRICS_BUCKETS_H_
