#include "runtime/constraint/bounded_cache.h"

#include <memory>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(BoundedCache, KeepsWhatIsAskedFor) {
  BoundedCache<int, int> cache(6);
  cache.Put(-1, std::make_shared<const int>(7));
  for (int i = 0; i < 100; ++i) {
    cache.Put(i, std::make_shared<const int>(i));
    ASSERT_NE(cache.Find(-1), nullptr) << i;
    EXPECT_EQ(*cache.Find(-1), 7);
    EXPECT_EQ(*cache.Find(i), i);
  }
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += cache.Find(i) != nullptr ? 1 : 0;
  EXPECT_LE(kept, 8);
  EXPECT_EQ(cache.Find(1000), nullptr);
}

}  // namespace
}  // namespace shoal
