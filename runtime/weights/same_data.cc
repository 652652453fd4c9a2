#include "runtime/weights/same_data.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

constexpr uint64_t kPiece = uint64_t{4} << 20;

}  // namespace

absl::StatusOr<bool> SameData(const Checkpoint& checkpoint, absl::string_view a,
                              absl::string_view b) {
  const Checkpoint::Entry& x = checkpoint.entries().at(a);
  const Checkpoint::Entry& y = checkpoint.entries().at(b);
  if (x.tensor.dtype != y.tensor.dtype || x.tensor.bytes != y.tensor.bytes) return false;
  if (!x.sha256.empty() && !y.sha256.empty()) return x.sha256 == y.sha256;
  std::vector<std::byte> of_x(std::min<uint64_t>(kPiece, x.tensor.bytes)), of_y(of_x.size());
  for (uint64_t done = 0; done < x.tensor.bytes; done += of_x.size()) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(of_x.size(), x.tensor.bytes - done));
    const absl::Span<std::byte> left(of_x.data(), n), right(of_y.data(), n);
    RETURN_IF_ERROR(checkpoint.file(x.shard).Read(x.tensor.offset + done, left));
    RETURN_IF_ERROR(checkpoint.file(y.shard).Read(y.tensor.offset + done, right));
    if (!std::equal(left.begin(), left.end(), right.begin())) return false;
  }
  return true;
}

}  // namespace shoal
