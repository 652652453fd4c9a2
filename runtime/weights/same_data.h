#ifndef SHOAL_RUNTIME_WEIGHTS_SAME_DATA_H_
#define SHOAL_RUNTIME_WEIGHTS_SAME_DATA_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/weights/checkpoint.h"

namespace shoal {

// Whether two tensors of a checkpoint have the same dtype and the same bytes.  Where the checkpoint
// carries digests of both, they decide (what is then read is checked against them); otherwise both
// are read and compared, a few megabytes at a time.  REQUIRES: the checkpoint holds both.
absl::StatusOr<bool> SameData(const Checkpoint& checkpoint, absl::string_view a,
                              absl::string_view b);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_SAME_DATA_H_
