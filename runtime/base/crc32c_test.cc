#include "runtime/base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace shoal {
namespace {

std::string RandomBytes(size_t size) {
  std::mt19937 random(17);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Crc32c, MatchesRfc3720) {
  std::string ascending(32, '\0'), descending(32, '\0');
  for (int i = 0; i < 32; ++i) {
    ascending[i] = static_cast<char>(i);
    descending[i] = static_cast<char>(31 - i);
  }
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(Crc32c(descending), 0x113fdb5cu);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32c, PortableAndHardwareAgreeAtEverySizeAndOffset) {
  if (!internal::HaveCrc32cInstruction()) GTEST_SKIP() << "this CPU has no crc32 instruction";
  const std::string bytes = RandomBytes(97);
  for (size_t offset = 0; offset < 9; ++offset) {
    for (size_t size = 0; offset + size <= bytes.size(); ++size) {
      const char* p = bytes.data() + offset;
      ASSERT_EQ(internal::ExtendCrc32cPortable(7, p, size),
                internal::ExtendCrc32cHardware(7, p, size))
          << "offset " << offset << " size " << size;
    }
  }
}

// Long enough for every way in which the instruction's blocks can fall.
TEST(Crc32c, PortableAndHardwareAgreeOnLongInput) {
  if (!internal::HaveCrc32cInstruction()) GTEST_SKIP() << "this CPU has no crc32 instruction";
  const std::string bytes = RandomBytes(10007);
  for (size_t size = 300; size <= bytes.size(); size += size < 4000 ? 1 : 61) {
    ASSERT_EQ(internal::ExtendCrc32cPortable(7, bytes.data(), size),
              internal::ExtendCrc32cHardware(7, bytes.data(), size))
        << size;
  }
}

// What callers get, by whichever form this CPU is fastest in.
TEST(Crc32c, AgreesWithPortableAtEverySize) {
  const std::string bytes = RandomBytes(70001);
  for (size_t size = 0; size <= bytes.size(); size += size < 1500 ? 1 : 509) {
    const char* p = bytes.data() + size % 7 % (bytes.size() - size + 1);
    ASSERT_EQ(internal::ExtendCrc32cPortable(0x12345678, p, size),
              ExtendCrc32c(0x12345678, p, size))
        << size;
  }
}

TEST(Crc32c, CopyingCopiesAndAgrees) {
  const std::string bytes = RandomBytes(3001);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    std::string copy(size + 1, '#');
    ASSERT_EQ(CopyExtendingCrc32c(9, copy.data(), bytes.data(), size),
              internal::ExtendCrc32cPortable(9, bytes.data(), size))
        << size;
    ASSERT_EQ(copy, bytes.substr(0, size) + '#') << size;
  }
}

TEST(Crc32c, ExtendContinues) {
  const std::string bytes = RandomBytes(61);
  const uint32_t whole = Crc32c(bytes);
  for (size_t split = 0; split <= bytes.size(); ++split) {
    const uint32_t head = Crc32c(bytes.data(), split);
    EXPECT_EQ(ExtendCrc32c(head, bytes.data() + split, bytes.size() - split), whole);
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  std::string bytes = RandomBytes(41);
  const uint32_t whole = Crc32c(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= 1 << (bit % 8);
    EXPECT_NE(Crc32c(bytes), whole) << "bit " << bit;
    bytes[bit / 8] ^= 1 << (bit % 8);
  }
}

}  // namespace
}  // namespace shoal
