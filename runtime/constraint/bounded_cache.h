#ifndef SHOAL_RUNTIME_CONSTRAINT_BOUNDED_CACHE_H_
#define SHOAL_RUNTIME_CONSTRAINT_BOUNDED_CACHE_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"

#include "runtime/base/mutex.h"

namespace shoal {

// Shared values by key, at most `capacity` of them. Two generations: what was
// not asked for while half the capacity was filled anew goes. Thread-safe.
template <typename Key, typename Value>
class BoundedCache {
 public:
  using Ptr = std::shared_ptr<const Value>;

  explicit BoundedCache(size_t capacity) : half_(capacity / 2 + 1) {}

  // Null if it is not kept.
  Ptr Find(const Key& key) {
    MutexLock lock(&mu_);
    if (const auto at = young_.find(key); at != young_.end()) return at->second;
    const auto at = old_.find(key);
    if (at == old_.end()) return nullptr;
    Ptr value = at->second;
    Insert(key, value);
    return value;
  }

  void Put(const Key& key, Ptr value) {
    MutexLock lock(&mu_);
    Insert(key, std::move(value));
  }

 private:
  void Insert(const Key& key, Ptr value) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (young_.size() >= half_) {
      old_ = std::move(young_);
      young_.clear();
    }
    young_.insert_or_assign(key, std::move(value));
  }

  const size_t half_;
  Mutex mu_;
  absl::flat_hash_map<Key, Ptr> young_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Key, Ptr> old_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_BOUNDED_CACHE_H_
