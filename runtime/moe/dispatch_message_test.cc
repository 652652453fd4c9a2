#include "runtime/moe/dispatch_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kRowBytes = 6;
constexpr DispatchLimits kLimits = {.layer = 3, .slots = 4, .top_k = 3, .row_bytes = kRowBytes};

// Tokens 5, 8 and 9 for slots {1}, {0, 3} and {2}.
std::vector<std::byte> Sample() {
  const std::vector<std::pair<int64_t, int32_t>> pairs = {{5, 1}, {8, 0}, {8, 3}, {9, 2}};
  DispatchWriter writer;
  for (const auto& [token, slot] : pairs) writer.Count(token);
  std::vector<std::byte> bytes(writer.MessageBytes(kRowBytes));
  writer.Start(bytes.data(), 3, kRowBytes);
  for (const auto& [token, slot] : pairs) {
    const std::string row(kRowBytes, static_cast<char>('a' + token));
    writer.Add(token, slot, reinterpret_cast<const std::byte*>(row.data()), kRowBytes);
  }
  EXPECT_EQ(writer.message().data(), bytes.data());
  EXPECT_EQ(writer.message().size(), bytes.size());
  return bytes;
}

// The first numbers of the sample as they lie on the wire.
constexpr size_t kRows = 4, kPairs = 8, kRowBytesAt = 12, kCounts = 16, kSlots = 22;

std::string Refusal(std::vector<std::byte> bytes) {
  const auto message = DispatchMessage::Parse(bytes, kLimits);
  EXPECT_EQ(message.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(message.status().message());
}

std::string RefusalOf16(size_t at, uint16_t value) {
  std::vector<std::byte> bytes = Sample();
  std::memcpy(&bytes[at], &value, sizeof(value));
  return Refusal(bytes);
}

std::string RefusalOf32(size_t at, uint32_t value) {
  std::vector<std::byte> bytes = Sample();
  std::memcpy(&bytes[at], &value, sizeof(value));
  return Refusal(bytes);
}

TEST(DispatchMessage, RoundTrip) {
  const std::vector<std::byte> bytes = Sample();
  const auto message = DispatchMessage::Parse(bytes, kLimits);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_THAT(message->counts(), ElementsAre(1, 2, 1));
  EXPECT_THAT(message->slots(), ElementsAre(1, 0, 3, 2));
  EXPECT_EQ(bytes.size(), 64 + 3 * kRowBytes);  // a token travels once
  EXPECT_EQ(std::memcmp(message->row(1), "iiiiii", kRowBytes), 0);
}

TEST(DispatchMessage, NoRowsAreAnEmptyMessage) {
  DispatchWriter writer;
  EXPECT_EQ(writer.MessageBytes(kRowBytes), 0u);
  writer.Start(nullptr, 3, kRowBytes);
  EXPECT_TRUE(writer.message().empty());
  const auto message = DispatchMessage::Parse(writer.message(), kLimits);
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->rows(), 0);
}

TEST(DispatchMessage, RefusesEveryLie) {
  EXPECT_THAT(RefusalOf32(0, 2), HasSubstr("layer 2, not 3"));
  EXPECT_THAT(RefusalOf32(kRowBytesAt, 8), HasSubstr("row bytes 8, not 6"));
  EXPECT_THAT(RefusalOf32(kRows, 0), HasSubstr("length 82"));
  EXPECT_THAT(RefusalOf32(kRows, 0xffffffffu), HasSubstr("length 82"));
  EXPECT_THAT(RefusalOf32(kRows, 2), HasSubstr("length 82"));
  EXPECT_THAT(RefusalOf32(kPairs, 0xffffffffu), HasSubstr("length 82"));
  EXPECT_THAT(RefusalOf32(kPairs, 5), HasSubstr("pairs 5, not the sum of counts 4"));
  EXPECT_THAT(RefusalOf32(kPairs, 3), HasSubstr("pairs 3, less than the sum of counts 4"));
  EXPECT_THAT(RefusalOf16(kCounts, 0), HasSubstr("slots of a row 0, not from 1 to 3"));
  EXPECT_THAT(RefusalOf16(kCounts, 4), HasSubstr("slots of a row 4, not from 1 to 3"));
  EXPECT_THAT(RefusalOf16(kCounts, 3), HasSubstr("less than the sum of counts"));
  EXPECT_THAT(RefusalOf16(kSlots, 4), HasSubstr("slot 4, not below 4"));
  EXPECT_THAT(RefusalOf16(kSlots + 4, 0), HasSubstr("slot 0, named twice in a row of 2"));
  EXPECT_THAT(RefusalOf16(kSlots + 8, 0x0700), HasSubstr("byte 7, before the rows, not 0"));
  EXPECT_THAT(RefusalOf16(62, 1), HasSubstr("byte 1, before the rows, not 0"));
}

TEST(DispatchMessage, RefusesEveryOtherLength) {
  const std::vector<std::byte> sample = Sample();
  for (size_t n = 1; n < sample.size() + 70; ++n) {
    if (n == sample.size()) continue;
    std::vector<std::byte> bytes = sample;
    bytes.resize(n);
    EXPECT_THAT(Refusal(bytes), HasSubstr(std::to_string(n)));
  }
}

// Whatever comes, what Parse lets through stays inside the message and the limits.
TEST(DispatchMessage, RandomDamageNeverEscapes) {
  std::mt19937 rng(4);
  const std::vector<std::byte> sample = Sample();
  int passed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bytes = sample;
    for (int hits = 1 + rng() % 3; hits > 0; --hits)
      bytes[rng() % 40] = static_cast<std::byte>(rng());
    const auto message = DispatchMessage::Parse(bytes, kLimits);
    if (!message.ok()) continue;
    ++passed;
    size_t pairs = 0;
    for (const uint16_t count : message->counts()) pairs += count;
    ASSERT_EQ(pairs, message->slots().size());
    for (const uint16_t slot : message->slots()) ASSERT_LT(slot, 4);
    ASSERT_EQ(message->row(message->rows()), bytes.data() + bytes.size());
  }
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace shoal
