#include "runtime/base/check.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace shoal {
namespace {

enum class Color : uint8_t { kRed = 7 };
struct Opaque {
  int n;
  bool operator==(const Opaque& o) const { return n == o.n; }
};

TEST(CheckDeathTest, FailsWithTheExpressionAndTheMessage) {
  const int rank = 3;
  EXPECT_DEATH(CHECK(rank < 2) << "of " << 2 << " ranks",
               "check_test.cc:[0-9]+: CHECK failed: rank < 2 of 2 ranks");
}

TEST(CheckDeathTest, ComparisonsPrintBothValues) {
  EXPECT_DEATH(CHECK_EQ(1 + 1, 3), "1 \\+ 1 == 3 \\(2 vs. 3\\)");
  EXPECT_DEATH(CHECK_NE(2, 2), "2 != 2 \\(2 vs. 2\\)");
  EXPECT_DEATH(CHECK_LT(3, 3), "3 < 3");
  EXPECT_DEATH(CHECK_LE(4, 3), "4 <= 3");
  EXPECT_DEATH(CHECK_GT(3, 3), "3 > 3");
  EXPECT_DEATH(CHECK_GE(2, 3), "2 >= 3");
}

TEST(CheckDeathTest, ValuesThatAreNotStreamsPrintToo) {
  EXPECT_DEATH(CHECK_EQ(static_cast<int8_t>(65), static_cast<int8_t>(66)), "65 vs. 66");
  EXPECT_DEATH(CHECK_NE(Color::kRed, Color::kRed), "7 vs. 7");
  EXPECT_DEATH(CHECK_EQ(Opaque{1}.n, Opaque{2}.n), "1 vs. 2");
  const Opaque a{1}, b{2};
  EXPECT_DEATH(CHECK_EQ(a, b), "<4 bytes> vs. <4 bytes>");
  const int* const null = nullptr;
  EXPECT_DEATH(CHECK_NE(null, nullptr), "vs. nullptr");
}

TEST(CheckDeathTest, CheckOkPrintsTheStatus) {
  EXPECT_DEATH(CHECK_OK(absl::NotFoundError("no shard 3")), "NOT_FOUND: no shard 3");
  EXPECT_DEATH(CHECK_OK(absl::StatusOr<int>(absl::AbortedError("gone"))), "ABORTED: gone");
}

TEST(Check, EvaluatesOnceAndGoesOn) {
  int calls = 0;
  const auto next = [&] { return ++calls; };
  CHECK(next() == 1) << "never printed";
  CHECK_EQ(next(), 2) << "never printed";
  CHECK_OK(absl::OkStatus());
  EXPECT_EQ(calls, 2);
}

TEST(Check, IsOneStatement) {
  bool reached = false;
  if (reached)
    CHECK_EQ(1, 2);
  else
    reached = true;
  EXPECT_TRUE(reached);
}

#ifdef NDEBUG
TEST(Check, DcheckIsNotEvaluatedHere) {
  int calls = 0;
  const auto next = [&] { return ++calls; };
  DCHECK(next() == 9);
  DCHECK_EQ(next(), 9) << "never printed";
  EXPECT_EQ(calls, 0);
}
#else
TEST(CheckDeathTest, DcheckIsEvaluatedHere) {
  EXPECT_DEATH(DCHECK_EQ(1, 2), "1 vs. 2");
  EXPECT_DEATH(DCHECK(1 == 2), "1 == 2");
}
#endif

}  // namespace
}  // namespace shoal
