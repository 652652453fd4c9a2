#ifndef SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_WRITER_H_
#define SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/tensor/dtype.h"

namespace shoal {

// Writes a checkpoint folder in the layout that checkpoint.h reads, shard by shard, one tensor in
// memory at a time. A shard appears under its name only when it is whole; the same calls give the
// same bytes.
class CheckpointWriter {
 public:
  struct NewTensor {
    std::string name;
    DType dtype = DType::kBF16;
    std::vector<int64_t> shape;
  };
  struct Options {
    bool digests = true;  // hash what is written, and write digests.json
  };
  // The data of one tensor of the shard being written, row-major; called once for each.
  using Source = absl::FunctionRef<absl::StatusOr<std::vector<std::byte>>(const NewTensor&)>;
  // The same in pieces: puts them into the sink in order, and returns its errors.
  using Sink = absl::FunctionRef<absl::Status(absl::Span<const std::byte>)>;
  using StreamSource = absl::FunctionRef<absl::Status(const NewTensor&, Sink)>;

  explicit CheckpointWriter(std::string folder) : CheckpointWriter(std::move(folder), Options()) {}
  CheckpointWriter(std::string folder, const Options& options)
      : folder_(std::move(folder)), options_(options) {}

  // `file` is "model.safetensors" (then it is the only one) or a plain name that the index will
  // list.
  absl::Status WriteShard(const std::string& file, std::vector<NewTensor> tensors, Source data);
  // Holds no more than the pieces in memory.
  absl::Status StreamShard(const std::string& file, std::vector<NewTensor> tensors,
                           StreamSource data);

  // Writes the index, where there is one, and digests.json, where asked for.  REQUIRES: every shard
  // was written without an error; the folder is a checkpoint only after this.
  absl::Status Finish();

  // SHA-256 (hex) over every tensor's name and the SHA-256 of its data: the digest of what was
  // written.  REQUIRES: options.digests.
  std::string Digest() const;

 private:
  const std::string folder_;
  const Options options_;
  std::map<std::string, std::string> shard_of_, sha256_of_;  // by tensor
  uint64_t bytes_ = 0;
};

// The text of digests.json for these tensors.
std::string DigestsJson(const std::map<std::string, std::string>& sha256_of);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_CHECKPOINT_WRITER_H_
