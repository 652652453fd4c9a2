// What became of one request.

#ifndef SHOAL_TOOLS_LOADGEN_REQUEST_RECORD_H_
#define SHOAL_TOOLS_LOADGEN_REQUEST_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/inference.pb.h"

namespace shoal::loadgen {

// Times are of one Clock.
struct RequestRecord {
  int64_t index = 0;
  bool disturbed = false;  // its client was to cancel it or to read slowly

  absl::Time intended;  // its arrival; in a closed loop when its client became free
  absl::Time started;   // when the call was made: later by the generator's own lag
  absl::Time ended;     // when its status came
  absl::Time first_delta = absl::InfiniteFuture();  // none came
  absl::Time last_delta = absl::InfiniteFuture();
  int64_t first_delta_tokens = 0;
  int64_t delta_tokens = 0;         // of all deltas
  std::vector<float> gaps_seconds;  // between one delta and the next
  uint64_t output_hash = 0;         // of the token ids, in order

  bool cancelled = false;  // by its client, before it had ended
  bool hung = false;       // the run gave up waiting for its end
  absl::Status status;     // with the details that came along
  v1::FinishReason finish = v1::FINISH_REASON_UNSPECIFIED;
  v1::Usage usage;        // of Finish
  std::string violation;  // the first thing that broke the stream's contract, or empty

  bool complete() const { return status.ok() && violation.empty(); }
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_REQUEST_RECORD_H_
