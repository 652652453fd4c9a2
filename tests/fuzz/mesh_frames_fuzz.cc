// Input: a byte that says what rank 0 does, then what rank 1 says, piece by piece.  Frames get good
// checksums unless a flag asks for a bad one: by chance the fuzzer would never meet them.
//
// Done means: what rank 0 received is the payload of the frame that was due, and every frame before
// it was whole.  Failed means: the error blames a rank.

#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/crc32c.h"
#include "runtime/comm/lost_rank.h"
#include "runtime/comm/tcp/frame.h"
#include "runtime/comm/tcp/group.h"
#include "runtime/comm/tcp/link.h"
#include "runtime/tensor/arena.h"
#include "tests/fuzz/fuzz.h"

namespace shoal::internal {
namespace {

constexpr Epoch kEpoch = {7, 0xc0ffee};
constexpr uint64_t kMaxMessage = 1 << 12;

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

enum Flag : uint8_t {
  kStaleEpoch = 1,
  kBadPayload = 2,  // its checksum
  kLongLength = 4,  // the header promises more than comes
  kHugeLength = 8,  // more than may come
  kReserved = 16,   // a byte that must be zero
  kBadHeader = 32,  // its checksum
};

std::string Frame(fuzz::Input& input) {
  FrameHeader header = {.epoch = kEpoch};
  const uint8_t flags = input.Byte();
  header.kind = static_cast<FrameKind>(input.Byte());
  header.channel = input.Byte();
  header.number = input.Byte();
  const absl::string_view payload = input.Bytes(input.Byte());
  header.length = payload.size();
  header.payload_crc = Crc32c(payload.data(), payload.size());
  if ((flags & kStaleEpoch) != 0) --header.epoch.number;
  if ((flags & kBadPayload) != 0) ++header.payload_crc;
  if ((flags & kLongLength) != 0) ++header.length;
  if ((flags & kHugeLength) != 0) header.length += uint64_t{1} << 40;
  FrameHeaderBytes bytes = EncodeHeader(header);
  if ((flags & kReserved) != 0) {
    bytes[18] = std::byte{1};
    const uint32_t crc = Crc32c(bytes.data(), bytes.size() - 4);
    std::memcpy(&bytes[bytes.size() - 4], &crc, sizeof(crc));
  }
  if ((flags & kBadHeader) != 0) bytes.back() ^= std::byte{1};
  std::string frame(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return frame.append(payload.data(), payload.size());
}

// All that rank 1 says.
std::string Stream(fuzz::Input& input) {
  std::string stream;
  while (!input.empty()) {
    const uint8_t piece = input.Byte();
    if (piece < 0x40) {
      stream += std::string(input.Bytes(piece));
    } else {
      stream += Frame(input);
    }
  }
  return stream;
}

// A frame of the stream, read by other code than what is tested.
struct Said {
  uint8_t kind, channel;
  uint64_t number;
  std::string payload;
};

template <typename T>
T Number(absl::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// The whole frames from the start of `stream` to the first thing that is none.
std::vector<Said> WholeFrames(absl::string_view stream) {
  std::vector<Said> frames;
  while (stream.size() >= kFrameHeaderBytes) {
    const bool whole_header = Number<uint32_t>(stream, 44) == Crc32c(stream.data(), 44) &&
                              Number<uint64_t>(stream, 0) == kEpoch.number &&
                              Number<uint64_t>(stream, 8) == kEpoch.incarnation &&
                              Number<uint16_t>(stream, 18) == 0 &&
                              Number<uint32_t>(stream, 40) == 0;
    const uint64_t length = Number<uint64_t>(stream, 32);
    if (!whole_header || length > stream.size() - kFrameHeaderBytes) break;
    const absl::string_view payload = stream.substr(kFrameHeaderBytes, length);
    if (Number<uint32_t>(stream, 20) != Crc32c(payload.data(), payload.size())) break;
    frames.push_back({.kind = static_cast<uint8_t>(stream[16]),
                      .channel = static_cast<uint8_t>(stream[17]),
                      .number = Number<uint64_t>(stream, 24),
                      .payload = std::string(payload)});
    stream.remove_prefix(kFrameHeaderBytes + length);
  }
  return frames;
}

// What DecodeHeader takes, EncodeHeader writes.
void CheckHeader(absl::string_view stream) {
  if (stream.size() < kFrameHeaderBytes) return;
  const auto* bytes = reinterpret_cast<const std::byte*>(stream.data());
  const auto header = DecodeHeader(bytes);
  if (!header.ok()) return fuzz::CheckRefusal(header.status(), "frame ");
  const FrameHeaderBytes again = EncodeHeader(*header);
  CHECK(std::memcmp(again.data(), bytes, again.size()) == 0);
  const int kind = static_cast<int>(header->kind);
  CHECK(kind >= 1 && kind <= 3);
}

// Rank 0 of two; rank 1 has said all it ever will.
class Session {
 public:
  explicit Session(const std::string& stream) : said_(WholeFrames(stream)) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    peer_ = Fd(fds[1]);
    CHECK_EQ(send(peer_.get(), stream.data(), stream.size(), 0),
             static_cast<ssize_t>(stream.size()));
    CHECK_EQ(shutdown(peer_.get(), SHUT_WR), 0);
    std::vector<std::unique_ptr<Link>> links(2);
    links[1] = std::make_unique<Link>(Fd(fds[0]), 1);
    group_ = std::make_unique<Group>(
        GroupOptions{.rank = 0, .epoch = kEpoch, .max_message_bytes = kMaxMessage},
        std::move(links));
  }

  void Agree() {
    const auto votes = group_->Exchange({.rows = 3});
    if (!votes.ok()) return CheckFailed();
    const Said* due = Due(FrameKind::kVote, round_++);
    CHECK(due != nullptr);
    CHECK((*votes)[0].rows == 3);
    CHECK(std::memcmp(&(*votes)[1], due->payload.data(), sizeof(Vote)) == 0);
  }

  void AllToAll(int channel) {
    Begin(channel);
    End(channel, collective_ - 1);
  }

  // Both channels at once, as two half-batches do.
  void TwoAtOnce() {
    Begin(0);
    Begin(1);
    End(0, collective_ - 2);
    End(1, collective_ - 1);
  }

 private:
  void Begin(int channel) {
    group_->BeginAllToAll(channel, std::vector<ConstBytes>(2, message_));
    ++collective_;
  }

  void End(int channel, uint64_t number) {
    std::vector<Bytes> from_peer;
    group_->EndAllToAll(channel, arena_, &from_peer);
    if (!group_->status().ok()) return CheckFailed();
    const Said* due = Due(FrameKind::kAllToAll, number);
    CHECK(due != nullptr);
    CHECK_EQ(static_cast<int>(due->channel), channel);
    CHECK_EQ(due->payload.size(), from_peer[1].size());
    CHECK_LE(due->payload.size(), kMaxMessage);
    CHECK(due->payload.empty() ||
          std::memcmp(due->payload.data(), from_peer[1].data(), due->payload.size()) == 0);
  }

  void CheckFailed() {
    fuzz::CheckRefusal(group_->status(), "rank ");
    const std::optional<int> blamed = BlamedRank(group_->status());
    CHECK(blamed.has_value() && *blamed >= 0 && *blamed < 2);
  }

  const Said* Due(FrameKind kind, uint64_t number) const {
    for (const Said& said : said_) {
      if (said.kind == static_cast<uint8_t>(kind) && said.number == number) return &said;
    }
    return nullptr;
  }

  const std::vector<Said> said_;
  const std::vector<std::byte> message_ = std::vector<std::byte>(5);
  HeapSource source_;
  Arena arena_{source_, 1 << 13};
  Fd peer_;
  std::unique_ptr<Group> group_;
  uint64_t round_ = 0, collective_ = 0;
};

}  // namespace
}  // namespace shoal::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::fuzz::Input input(data, size);
  uint8_t acts = input.Byte();
  const std::string stream = shoal::internal::Stream(input);
  shoal::internal::CheckHeader(stream);
  shoal::internal::Session session(stream);
  for (int i = 0; i < 4; ++i, acts >>= 2) {
    if ((acts & 3) == 3) {
      session.TwoAtOnce();
    } else if ((acts & 3) == 2) {
      session.Agree();
    } else {
      session.AllToAll(acts & 1);
    }
  }
  return 0;
}
