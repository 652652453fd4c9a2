#ifndef SHOAL_RUNTIME_KV_BLOCK_POOL_H_
#define SHOAL_RUNTIME_KV_BLOCK_POOL_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"

namespace shoal {

class BlockPool;

// Blocks that hold so many positions.
constexpr int64_t BlocksFor(int64_t positions) { return (positions + kKvBlock - 1) / kKvBlock; }

// The blocks of one sequence, in the order of its positions, and the promise of
// more. Gives everything back when it dies. The pool must outlive it.
class KvLease {
 public:
  KvLease() = default;
  KvLease(KvLease&& other) noexcept { *this = std::move(other); }
  KvLease& operator=(KvLease&& other) noexcept;
  ~KvLease() { Release(); }

  // Takes blocks out of the promise until `positions` fit.
  // REQUIRES: BlocksFor(positions) <= blocks().size() + promised().
  void Grow(int64_t positions);

  // Gives blocks and promise back; the lease is empty afterwards.
  void Release();

  absl::Span<const int32_t> blocks() const { return blocks_; }
  int64_t promised() const { return promised_; }

 private:
  friend class BlockPool;
  KvLease(BlockPool* pool, int64_t promised) : pool_(pool), promised_(promised) {}

  BlockPool* pool_ = nullptr;
  std::vector<int32_t> blocks_;
  int64_t promised_ = 0;
};

// Which block of the cache belongs to whom: bookkeeping alone, no memory.
// Thread-compatible: the engine thread owns it.
//
// Invariants:
//   1. Every block is free, or retired, or in exactly one lease; so
//      free() + used() == total() (law 4; retired ones count as used).
//   2. promised() <= free(): a promise can always be kept, so a sequence that
//      was let in never waits for another one to end, and none can deadlock.
//   3. A block given back while a pass is in flight may still be written by it:
//      it is retired, and free only when the pass has ended (M6).
class BlockPool {
 public:
  // REQUIRES: blocks > 0.
  explicit BlockPool(int64_t blocks);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // Promises `blocks`; nullopt when fewer are available().
  std::optional<KvLease> Reserve(int64_t blocks);

  // Between the two a pass is in flight. They do not nest.
  void BeginPass();
  void EndPass();

  int64_t total() const { return total_; }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  int64_t used() const { return used_; }
  int64_t promised() const { return promised_; }
  int64_t available() const { return free() - promised_; }

  // Law 4, counted anew: INTERNAL says which block is nobody's or has two
  // owners. `leases` are all that are alive. Costs O(total).
  absl::Status Audit(absl::Span<const KvLease* const> leases) const;

 private:
  friend class KvLease;
  friend class BlockPoolSaboteur;  // a test's: breaks what Audit must find

  int32_t Take();
  void GiveBack(absl::Span<const int32_t> blocks, int64_t promised);

  const int64_t total_;
  std::vector<int32_t> free_;     // the last one is handed out next
  std::vector<int32_t> retired_;  // given back during the pass in flight
  int64_t used_ = 0;              // leased or retired
  int64_t promised_ = 0;
  bool in_pass_ = false;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_KV_BLOCK_POOL_H_
