#ifndef SHOAL_RUNTIME_COMM_TCP_FRAME_H_
#define SHOAL_RUNTIME_COMM_TCP_FRAME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace shoal::internal {

struct Epoch {
  uint64_t number = 0, incarnation = 0;
  friend bool operator==(const Epoch&, const Epoch&) = default;
};
std::string EpochName(const Epoch& epoch);  // "7/1f00ba5e00c0ffee", for error messages

enum class FrameKind : uint8_t {
  kVote = 1,      // number: the round; payload: a Vote
  kAllToAll = 2,  // number: of the collective over both channels
  kFarewell = 3,  // payload: u32, the rank for whose sake the sender ends the group
};

// What stands before every payload.  The header has a checksum of its own, so that a damaged length
// is not believed.
struct FrameHeader {
  Epoch epoch;
  FrameKind kind = FrameKind::kVote;
  uint8_t channel = 0;
  uint64_t number = 0;
  uint64_t length = 0;       // of the payload
  uint32_t payload_crc = 0;  // CRC-32C
};

// On the wire, little endian: u64 epoch number, u64 incarnation, u8 kind, u8 channel, u16 0, u32
// payload crc, u64 number, u64 length, u32 0, u32 CRC-32C of the 44 bytes before it.
inline constexpr size_t kFrameHeaderBytes = 48;
using FrameHeaderBytes = std::array<std::byte, kFrameHeaderBytes>;

FrameHeaderBytes EncodeHeader(const FrameHeader& header);
// DATA_LOSS when the checksum is wrong, the kind unknown, or a byte that is 0 in this version is
// not.
absl::StatusOr<FrameHeader> DecodeHeader(const std::byte* bytes);

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_FRAME_H_
