#include "runtime/sampling/philox.h"

#include <array>
#include <cstdint>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(PhiloxTest, KnownAnswers) {
  // The vectors that the authors publish with their library.
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, EveryPartOfTheKeyMatters) {
  const uint64_t word = RandomWordAt(7, 0, 100);
  EXPECT_EQ(word, RandomWordAt(7, 0, 100));
  EXPECT_NE(word, RandomWordAt(8, 0, 100));
  EXPECT_NE(word, RandomWordAt(uint64_t{7} << 32, 0, 100));
  EXPECT_NE(word, RandomWordAt(7, 1, 100));
  EXPECT_NE(word, RandomWordAt(7, 0, 101));
  EXPECT_NE(word, RandomWordAt(7, 0, int64_t{100} << 32));
}

}  // namespace
}  // namespace shoal
