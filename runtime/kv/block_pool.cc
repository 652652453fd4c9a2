#include "runtime/kv/block_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal {

KvLease& KvLease::operator=(KvLease&& other) noexcept {
  if (this == &other) return *this;
  Release();
  pool_ = std::exchange(other.pool_, nullptr);
  blocks_ = std::exchange(other.blocks_, {});
  promised_ = std::exchange(other.promised_, 0);
  return *this;
}

void KvLease::Grow(int64_t positions) {
  const int64_t more = BlocksFor(positions) - static_cast<int64_t>(blocks_.size());
  if (more <= 0) return;
  CHECK_LE(more, promised_) << "a lease grows past its promise";
  for (int64_t i = 0; i < more; ++i) blocks_.push_back(pool_->Take());
  promised_ -= more;
}

void KvLease::Release() {
  if (pool_ != nullptr) pool_->GiveBack(blocks_, promised_);
  pool_ = nullptr;
  blocks_.clear();
  promised_ = 0;
}

BlockPool::BlockPool(int64_t blocks) : total_(blocks) {
  CHECK_GT(blocks, 0);
  free_.reserve(blocks);
  for (int64_t b = blocks - 1; b >= 0; --b) {
    free_.push_back(static_cast<int32_t>(b));
  }
}

std::optional<KvLease> BlockPool::Reserve(int64_t blocks) {
  CHECK_GE(blocks, 0);
  if (blocks > available()) return std::nullopt;
  promised_ += blocks;
  return KvLease(this, blocks);
}

void BlockPool::BeginPass() {
  CHECK(!in_pass_);
  in_pass_ = true;
}

void BlockPool::EndPass() {
  CHECK(in_pass_);
  in_pass_ = false;
  used_ -= static_cast<int64_t>(retired_.size());
  free_.insert(free_.end(), retired_.begin(), retired_.end());
  retired_.clear();
}

int32_t BlockPool::Take() {
  CHECK(!free_.empty());
  const int32_t block = free_.back();
  free_.pop_back();
  ++used_;
  --promised_;
  return block;
}

void BlockPool::GiveBack(absl::Span<const int32_t> blocks, int64_t promised) {
  promised_ -= promised;
  std::vector<int32_t>& to = in_pass_ ? retired_ : free_;
  to.insert(to.end(), blocks.rbegin(), blocks.rend());
  if (!in_pass_) used_ -= static_cast<int64_t>(blocks.size());
}

absl::Status BlockPool::Audit(absl::Span<const KvLease* const> leases) const {
  std::vector<int> owners(total_, 0);
  int64_t promised = 0;
  for (int32_t block : free_) ++owners[block];
  for (int32_t block : retired_) ++owners[block];
  for (const KvLease* lease : leases) {
    promised += lease->promised();
    for (int32_t block : lease->blocks()) ++owners[block];
  }
  for (int64_t b = 0; b < total_; ++b) {
    if (owners[b] == 1) continue;
    return absl::InternalError(
        absl::StrCat("KV block ", b, " of ", total_, " has ", owners[b], " owners instead of 1"));
  }
  if (free() + used() != total_) {
    return absl::InternalError(absl::StrCat("KV blocks free ", free(), " + used ", used(),
                                            " differ from the total of ", total_));
  }
  if (promised != promised_ || promised_ > free()) {
    return absl::InternalError(absl::StrCat("KV blocks promised to leases ", promised,
                                            ", in the books ", promised_, ", free ", free()));
  }
  return absl::OkStatus();
}

}  // namespace shoal
