#include "runtime/kv/kv_cache.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

absl::Status CheckPositive(absl::string_view name, int64_t value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("KV cache: ", name, " is ", value, ", at least 1 is needed"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvCache>> KvCache::Create(Device& device, const Shape& shape) {
  RETURN_IF_ERROR(CheckPositive("layers", shape.layers));
  RETURN_IF_ERROR(CheckPositive("line", shape.line));
  RETURN_IF_ERROR(CheckPositive("blocks", shape.blocks));
  // Block numbers are int32 in the block tables.
  constexpr int64_t kMaxBlocks = std::numeric_limits<int32_t>::max();
  if (shape.blocks > kMaxBlocks) {
    return absl::InvalidArgumentError(absl::StrCat("KV cache: blocks is ", shape.blocks,
                                                   ", at most ", kMaxBlocks, " are possible"));
  }
  ASSIGN_OR_RETURN(Buffer memory, device.Allocate(shape.bytes()));
  return std::unique_ptr<KvCache>(new KvCache(shape, std::move(memory)));
}

KvCache::KvCache(const Shape& shape, Buffer memory)
    : shape_(shape), memory_(std::move(memory)), pool_(shape.blocks) {}

Tensor KvCache::lines() const {
  return Tensor::Of(memory_.data(), shape_.dtype, shape_.layers * lines_per_layer(), shape_.line);
}

}  // namespace shoal
