#ifndef SHOAL_RUNTIME_WEIGHTS_TABLE_CHECK_H_
#define SHOAL_RUNTIME_WEIGHTS_TABLE_CHECK_H_

#include "absl/status/status.h"

#include "runtime/weights/checkpoint.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

// OK when the checkpoint holds the table's tensors and no other, each of the shape and one of the
// dtypes that the table allows.  INVALID_ARGUMENT names the file, the tensor, what it is and what
// the config demands.
absl::Status CheckTable(const Checkpoint& checkpoint, const TensorTable& table);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_TABLE_CHECK_H_
