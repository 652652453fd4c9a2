#ifndef SHOAL_RUNTIME_MOE_DISPATCH_MESSAGE_H_
#define SHOAL_RUNTIME_MOE_DISPATCH_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/comm/communicator.h"

namespace shoal {

// What one rank sends another in a dispatch; little endian, 16-bit numbers where not said
// otherwise:
//
//   u32 layer, u32 rows, u32 pairs, u32 row_bytes   the header
//   count[rows]                                     how many experts of the receiver each row is
//   for slot[pairs]                                     their local slots, row by row zeros up to a
//   multiple of 64 row[rows][row_bytes]                            the activations
//
// No rows: an empty message.
inline constexpr int kMaxSlotsPerRank = 1 << 16;

// Writes one message: Count() for every pair, then Start(), then Add() for the same pairs in the
// same order, tokens ascending.
class DispatchWriter {
 public:
  void Count(int64_t token) {
    rows_ += token != last_token_;
    ++pairs_;
    last_token_ = token;
  }
  int64_t pairs() const { return pairs_; }
  // Of the whole message; 0 without rows.
  size_t MessageBytes(size_t row_bytes) const;

  // REQUIRES: `to` holds MessageBytes(row_bytes), and is aligned to 64 bytes.
  void Start(std::byte* to, int layer, size_t row_bytes);
  void Add(int64_t token, int32_t slot, const std::byte* row, size_t row_bytes);
  ConstBytes message() const { return message_; }

 private:
  int64_t rows_ = 0, pairs_ = 0;
  int64_t last_token_ = -1;
  absl::Span<const std::byte> message_;
  // Where the next one goes.
  uint16_t* count_ = nullptr;
  uint16_t* slot_ = nullptr;
  std::byte* row_ = nullptr;
};

// What a message must fit.
struct DispatchLimits {
  int layer = 0;
  int slots = 0;  // of this rank
  int top_k = 0;  // of the model
  size_t row_bytes = 0;
};

// A message from a peer, checked: every number in it is in range and agrees with its length.
class DispatchMessage {
 public:
  // INVALID_ARGUMENT names the two values that disagree.  `bytes` must outlive the result and be
  // aligned to 4 bytes.
  static absl::StatusOr<DispatchMessage> Parse(ConstBytes bytes, const DispatchLimits& limits);

  int64_t rows() const { return static_cast<int64_t>(counts_.size()); }
  absl::Span<const uint16_t> counts() const { return counts_; }  // [rows], each at least 1
  absl::Span<const uint16_t> slots() const { return slots_; }    // [sum of counts], row by row
  const std::byte* row(int64_t i) const { return data_ + static_cast<size_t>(i) * row_bytes_; }

 private:
  absl::Status CheckSlots(const DispatchLimits& limits) const;

  absl::Span<const uint16_t> counts_, slots_;
  const std::byte* data_ = nullptr;
  size_t row_bytes_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MOE_DISPATCH_MESSAGE_H_
