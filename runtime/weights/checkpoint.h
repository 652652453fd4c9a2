#ifndef SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_H_
#define SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/weights/safetensors.h"

namespace shoal {

inline constexpr absl::string_view kSingleFile = "model.safetensors";
inline constexpr absl::string_view kIndexFile = "model.safetensors.index.json";
inline constexpr absl::string_view kDigestsFile = "digests.json";

// A Hugging Face checkpoint folder, its headers read and checked, its data not touched.
//
// The folder holds either model.safetensors or model.safetensors.index.json with the shards it
// names: plain names of files in the same folder.  The index's weight_map must be exactly what the
// shards hold, and its metadata.total_size, where it stands, the bytes they hold, or twice the
// elements they hold (what DeepSeek wrote for V3 and R1).  An optional
// digests.json, as the converter writes it, gives the SHA-256 of every tensor's data: {"sha256":
// {NAME: 64 hex digits}}.
class Checkpoint {
 public:
  struct Entry {
    StoredTensor tensor;
    int32_t shard = 0;
    std::string
        sha256;  // of the data, lower-case hex; empty where the checkpoint carries no digests
  };

  // Errors name the file, the tensor and both values.
  static absl::StatusOr<Checkpoint> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const absl::btree_map<std::string, Entry>& entries() const { return entries_; }
  const InputFile& file(int32_t shard) const { return shards_[shard].file(); }
  int shards() const { return static_cast<int>(shards_.size()); }

 private:
  Checkpoint() = default;
  absl::Status ReadIndex();
  absl::Status AddShard(const std::string& name);
  absl::Status ReadDigests();

  std::string folder_;
  std::vector<SafetensorsFile> shards_;
  absl::btree_map<std::string, Entry> entries_;
};

// True for names like "model-00001-of-00002.safetensors": a file in this folder and nowhere else.
bool IsPlainShardName(absl::string_view name);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_H_
