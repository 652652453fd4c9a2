#ifndef SHOAL_RUNTIME_COMM_TCP_LINK_H_
#define SHOAL_RUNTIME_COMM_TCP_LINK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/comm/communicator.h"
#include "runtime/comm/tcp/frame.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal::internal {

// Where the frames of a link go.  A refusal is an error that need not name the peer: the link's
// owner does.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // Whether the peer's next frame is wanted now; what is not wanted stays in the kernel and holds
  // the peer back.
  virtual bool Wants(int peer) const = 0;
  // A header with a good checksum has come: returns where its payload goes (anything when it is
  // empty).
  virtual absl::StatusOr<std::byte*> OnHeader(int peer, const FrameHeader& header) = 0;
  // All of the payload is there and its checksum is good.
  virtual absl::Status OnFrame(int peer, const FrameHeader& header) = 0;
};

// The socket between this rank and one peer, after Hello: frames out, frames in.  Blocks only where
// it says so. Owned by the engine thread; only Shutdown() may be called from others.
class Link {
 public:
  static constexpr size_t kSmallPayload = 16;
  static constexpr absl::Duration kPatience = absl::Milliseconds(2);

  Link(Fd fd, int peer);

  int peer() const { return peer_; }
  int fd() const { return fd_.get(); }

  // Appends a frame and writes what the socket takes.  `payload` must stay untouched until
  // Sent(ticket); one of at most kSmallPayload bytes is copied.  UNAVAILABLE when the connection is
  // gone.
  absl::StatusOr<uint64_t> Send(FrameHeader header, ConstBytes payload);
  absl::Status Flush();
  bool Sent(uint64_t ticket) const { return ticket < first_ticket_; }
  bool sending() const { return head_ < outgoing_.size(); }

  // Hands frames to `sink` for as long as it wants them; false when more bytes have to come first.
  // UNAVAILABLE: closed or broken; DATA_LOSS: a checksum; else what the sink returned.
  absl::StatusOr<bool> Receive(FrameSink& sink) { return Receive(sink, MSG_DONTWAIT); }
  // The same, waiting for bytes for up to kPatience: one system call where polling first takes
  // three.
  absl::StatusOr<bool> ReceivePatiently(FrameSink& sink) { return Receive(sink, 0); }
  // Between the first byte of a payload and its last.
  bool in_payload() const { return in_frame_; }

  // In either direction, since the beginning.
  uint64_t bytes_moved() const { return bytes_moved_; }

  // Ends the connection for both sides; what was received can still be read.  Any thread.
  void Shutdown();

 private:
  struct Outgoing {
    FrameHeaderBytes header;
    std::array<std::byte, kSmallPayload> small;
    ConstBytes payload;  // empty when it is in `small`
    size_t small_bytes = 0;
    size_t sent = 0;

    size_t size() const { return header.size() + small_bytes + payload.size(); }
  };
  // The parts of `o` that were not sent; returns how many.
  static int UnsentParts(Outgoing& o, struct iovec* parts);
  void MarkSent(size_t bytes);

  absl::Status StartFrame(FrameSink& sink);
  absl::Status FinishFrame(FrameSink& sink);
  absl::StatusOr<bool> Receive(FrameSink& sink, int flags);
  // Moves received bytes from staging_ into the payload.
  void TakeStaged();
  // Reads from the socket, the payload's bytes straight into place; 0 when there are none now.
  absl::StatusOr<size_t> ReadMore(int flags);

  const Fd fd_;
  const int peer_;
  uint64_t bytes_moved_ = 0;

  // Frames to send are outgoing_[head_..]; the first of them has ticket first_ticket_.
  std::vector<Outgoing> outgoing_;
  size_t head_ = 0;
  uint64_t first_ticket_ = 0;

  // Bytes staged_begin_..staged_end_ came but are not yet consumed.  Room for a header and a
  // message of 16 KiB: copying it once more costs less than a second system call.
  static constexpr size_t kStaging = size_t{17} << 10;
  std::unique_ptr<std::byte[]> staging_;
  size_t staged_begin_ = 0, staged_end_ = 0;
  // The frame that is being received.
  bool in_frame_ = false;
  FrameHeader header_;
  std::byte* payload_ = nullptr;
  uint64_t received_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_LINK_H_
