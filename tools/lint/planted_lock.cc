// A planted violation: guarded data is touched without its lock. The clang
// build must refuse it; tools/test sees that it does.

#include "absl/base/thread_annotations.h"

#include "runtime/base/mutex.h"

namespace shoal {

class Planted {
 public:
  int Unlocked() const { return value_; }

 private:
  mutable Mutex mu_;
  int value_ ABSL_GUARDED_BY(mu_) = 0;
};

int Touch(const Planted& planted) { return planted.Unlocked(); }

}  // namespace shoal
