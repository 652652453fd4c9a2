#include "services/worker/model_identity.h"

#include "absl/strings/str_cat.h"

#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/model/rope.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/file.h"
#include "runtime/weights/safetensors.h"

namespace shoal {

namespace {

constexpr size_t kShortDigest = 16;  // hex digits of a digest inside an id
constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;

absl::StatusOr<std::string> FileDigest(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadSmallFile(path, kMaxTokenizerBytes));
  return HexOf(Sha256Of(bytes));
}

// One line per tensor, in the order of their names.
absl::StatusOr<std::string> CheckpointDigest(const std::string& folder) {
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(folder));
  Sha256 digest;
  for (const auto& [name, entry] : checkpoint.entries()) {
    digest.Update(absl::StrCat(name, "\t", static_cast<int>(entry.tensor.dtype), "\t",
                               ShapeText(entry.tensor.shape), "\t", entry.sha256, "\n"));
  }
  return HexOf(digest.Finish());
}

}  // namespace

absl::StatusOr<ModelIdentity> ReadModelIdentity(const std::string& folder,
                                                absl::string_view device_numerics) {
  ModelIdentity identity;
  ASSIGN_OR_RETURN(identity.config, ReadDeepSeekConfig(folder));
  identity.config_digest = identity.config.Digest();
  ASSIGN_OR_RETURN(identity.tokenizer_digest, FileDigest(folder + "/tokenizer.json"));
  ASSIGN_OR_RETURN(identity.weight_digest, CheckpointDigest(folder));
  const std::string rope = MakeRopeTable(identity.config, identity.config.max_positions).Digest();
  identity.numerics_id = absl::StrCat(device_numerics, "-", rope.substr(0, kShortDigest));
  return identity;
}

}  // namespace shoal
