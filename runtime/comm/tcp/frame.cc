#include "runtime/comm/tcp/frame.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "runtime/base/crc32c.h"

namespace shoal::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little endian");

struct Wire {
  uint64_t epoch_number, epoch_incarnation;
  uint8_t kind, channel;
  uint16_t zero16;
  uint32_t payload_crc;
  uint64_t number, length;
  uint32_t zero32, header_crc;
};
static_assert(sizeof(Wire) == kFrameHeaderBytes &&
              offsetof(Wire, header_crc) == kFrameHeaderBytes - 4);

}  // namespace

std::string EpochName(const Epoch& epoch) {
  return absl::StrCat(epoch.number, "/", absl::Hex(epoch.incarnation, absl::kZeroPad16));
}

FrameHeaderBytes EncodeHeader(const FrameHeader& header) {
  Wire wire = {.epoch_number = header.epoch.number,
               .epoch_incarnation = header.epoch.incarnation,
               .kind = static_cast<uint8_t>(header.kind),
               .channel = header.channel,
               .zero16 = 0,
               .payload_crc = header.payload_crc,
               .number = header.number,
               .length = header.length,
               .zero32 = 0,
               .header_crc = 0};
  wire.header_crc = Crc32c(&wire, offsetof(Wire, header_crc));
  return std::bit_cast<FrameHeaderBytes>(wire);
}

absl::StatusOr<FrameHeader> DecodeHeader(const std::byte* bytes) {
  Wire wire;
  std::memcpy(&wire, bytes, sizeof(wire));
  const uint32_t crc = Crc32c(bytes, offsetof(Wire, header_crc));
  if (crc != wire.header_crc) {
    return absl::DataLossError(absl::StrCat("frame header with checksum ",
                                            absl::Hex(wire.header_crc), " where its bytes give ",
                                            absl::Hex(crc)));
  }
  if (wire.kind < static_cast<uint8_t>(FrameKind::kVote) ||
      wire.kind > static_cast<uint8_t>(FrameKind::kFarewell)) {
    return absl::DataLossError(absl::StrCat("frame of unknown kind ", wire.kind));
  }
  if (wire.zero16 != 0 || wire.zero32 != 0) {
    return absl::DataLossError(absl::StrCat("frame header with ", wire.zero16, " and ", wire.zero32,
                                            " where this version has zeros"));
  }
  return FrameHeader{.epoch = {wire.epoch_number, wire.epoch_incarnation},
                     .kind = static_cast<FrameKind>(wire.kind),
                     .channel = wire.channel,
                     .number = wire.number,
                     .length = wire.length,
                     .payload_crc = wire.payload_crc};
}

}  // namespace shoal::internal
