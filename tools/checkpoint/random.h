#ifndef SHOAL_TOOLS_CHECKPOINT_RANDOM_H_
#define SHOAL_TOOLS_CHECKPOINT_RANDOM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// What to change in a config.json before weights are made for it.
struct ConfigEdits {
  std::string form;    // "fp8", "bf16"; empty: as the config has it
  int32_t layers = 0;  // num_hidden_layers; 0: as the config has it
  // Field and JSON value: {"n_routed_experts", "16"}.
  std::vector<std::pair<std::string, std::string>> fields;
};

// The config.json text with the edits made.  INVALID_ARGUMENT: a field that the config does not
// have, a value that is no JSON, a form that is not known, or a text that is no JSON object;
// whether the result is a model that is accepted, ParseDeepSeekConfig says.
absl::StatusOr<std::string> EditedConfig(absl::string_view config_json, absl::string_view file,
                                         const ConfigEdits& edits);

struct RandomCheckpointSpec {
  std::string config_json;  // what the folder's config.json will say
  std::string to;           // the folder; made when it is missing, its parent must exist
  uint64_t seed = 1;
  int64_t shard_bytes = 4'300'000'000;  // of tensor data; a larger tensor is a shard of its own
  bool digests = true;
  std::string tokenizer;  // folder whose tokenizer files are copied, so that a router can serve the
                          // model; empty: none
};

struct RandomCheckpointResult {
  int64_t tensors = 0, bytes = 0;
  int shards = 0;
  std::string digest;  // CheckpointWriter::Digest(); empty without digests
};

// Told after every megabyte.
using BytesProgress = std::function<void(int64_t bytes_done, int64_t bytes_total)>;

// Writes a checkpoint of random weights in the real layout: config.json, shards, index,
// digests.json. The same spec gives the same bytes on every machine.  Memory: a megabyte, and the
// table. INVALID_ARGUMENT: the config is not accepted; ALREADY_EXISTS: the folder holds a
// checkpoint; RESOURCE_EXHAUSTED: the disk has too little room, with both numbers; NOT_FOUND: a
// tokenizer file.
absl::StatusOr<RandomCheckpointResult> MakeRandomCheckpoint(const RandomCheckpointSpec& spec,
                                                            const BytesProgress& progress);

// OK when `needed` bytes fit into `free`.
absl::Status CheckRoom(const std::string& folder, uint64_t needed, uint64_t free);

}  // namespace shoal

#endif  // SHOAL_TOOLS_CHECKPOINT_RANDOM_H_
