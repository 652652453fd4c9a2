#ifndef SHOAL_RUNTIME_MODEL_TESTING_RANDOM_CHECKPOINT_H_
#define SHOAL_RUNTIME_MODEL_TESTING_RANDOM_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

#include "runtime/tensor/dtype.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

// config.json of a small model with every feature of V3: one dense layer and two MoE layers, 16
// experts in 4 groups, low-rank queries, YaRN.  Odd sizes where the architecture allows.  Change
// fields as a test needs.
nlohmann::json TinyV3Config();
// The same for V2-Lite: no low-rank query, softmax gate, greedy.
nlohmann::json TinyV2Config();
// Either, with FP8 weights.
nlohmann::json WithFp8(nlohmann::json config);

struct RandomCheckpointOptions {
  uint64_t seed = 1;
  int shards = 3;       // 1: model.safetensors without an index
  bool digests = true;  // write digests.json
};

// Writes config.json and random weights in the real layout into the existing folder `folder`.
absl::Status WriteRandomCheckpoint(const nlohmann::json& config, const std::string& folder,
                                   const RandomCheckpointOptions& options);

// The values of a random tensor before any quantization: a function of (name, shape, seed) only, in
// plain integer and float32 arithmetic, so that another language can make the same
// (tests/parity/random_weights.py does).
std::vector<BF16> RandomValues(const TensorSpec& spec, uint64_t seed);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_TESTING_RANDOM_CHECKPOINT_H_
