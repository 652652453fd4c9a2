#include "runtime/weights/table_check.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "runtime/base/strict_json.h"
#include "runtime/tensor/dtype.h"

namespace shoal {

absl::Status CheckTable(const Checkpoint& checkpoint, const TensorTable& table) {
  size_t found = 0;
  for (const TensorSpec& spec : table) {
    const auto at = checkpoint.entries().find(spec.name);
    if (at == checkpoint.entries().end()) {
      return absl::InvalidArgumentError(absl::StrCat(checkpoint.folder(), ": tensor ", spec.name,
                                                     " ", ShapeText(spec.shape), " is missing"));
    }
    ++found;
    const StoredTensor& stored = at->second.tensor;
    const std::string& path = checkpoint.file(at->second.shard).path();
    if (stored.shape != spec.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor ", spec.name, " is ", ShapeText(stored.shape),
                       ", but the config demands ", ShapeText(spec.shape)));
    }
    if (std::find(spec.dtypes.begin(), spec.dtypes.end(), stored.dtype) == spec.dtypes.end()) {
      const auto append = [](std::string* out, DType t) {
        absl::StrAppend(out, std::string(DTypeName(t)));
      };
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor ", spec.name, " is ", std::string(DTypeName(stored.dtype)),
                       ", but the config demands ", absl::StrJoin(spec.dtypes, " or ", append)));
    }
  }
  if (found == checkpoint.entries().size()) return absl::OkStatus();
  absl::flat_hash_set<absl::string_view> known;
  for (const TensorSpec& spec : table) known.insert(spec.name);
  for (const auto& [name, entry] : checkpoint.entries()) {
    if (!known.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat(checkpoint.file(entry.shard).path(),
                                                     ": tensor ", Shown(name),
                                                     " is not one that the config demands"));
    }
  }
  return absl::InternalError("the tensor table names a tensor twice");
}

}  // namespace shoal
