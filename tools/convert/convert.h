#ifndef SHOAL_TOOLS_CONVERT_CONVERT_H_
#define SHOAL_TOOLS_CONVERT_CONVERT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace shoal {

struct ConvertResult {
  std::string digest;                 // CheckpointWriter::Digest() of what was written
  int64_t quantized = 0, copied = 0;  // tensors
  int64_t bytes = 0;                  // of tensor data written
};

using ConvertProgress = std::function<void(int64_t tensors_done, int64_t tensors_total)>;

// Writes the FP8 form of a BF16 checkpoint, in DeepSeek-V3's layout: linear layers as e4m3 with
// NAME_scale_inv beside them, everything else (norms, router, embeddings, heads) as it was; the
// same shard names, a new index, digests.json and a config.json with quantization_config; all other
// files of the folder are copied.  Deterministic: the same input gives the same bytes on every
// machine.  Memory: a few times the largest tensor. INVALID_ARGUMENT: `from` is not a BF16
// checkpoint that its config.json demands, or holds a value that is not finite; ALREADY_EXISTS:
// `to` holds a checkpoint.  `to` is created; its parent must exist.
absl::StatusOr<ConvertResult> ConvertToFp8(const std::string& from, const std::string& to,
                                           const ConvertProgress& progress);

// Writes digests.json into a checkpoint folder that has none, so that loading checks every byte.
// Returns the digest.
absl::StatusOr<std::string> AddDigests(const std::string& folder);

}  // namespace shoal

#endif  // SHOAL_TOOLS_CONVERT_CONVERT_H_
