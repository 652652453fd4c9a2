#ifndef SHOAL_RUNTIME_COMM_TCP_RAW_PEER_H_
#define SHOAL_RUNTIME_COMM_TCP_RAW_PEER_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

#include "runtime/comm/tcp/frame.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal::internal {

// The far end of a link in the hands of a test, which writes whatever bytes it likes.
class RawPeer {
 public:
  explicit RawPeer(Fd fd) : fd_(std::move(fd)) {}

  void Send(absl::string_view bytes);
  void SendFrame(const FrameHeader& header, absl::string_view payload) {
    Send(Frame(header, payload));
  }
  // No more bytes from here; the other direction stays open.
  void HalfClose();
  void Close() { fd_ = Fd(); }

  // The bytes of a correct frame.
  static std::string Frame(FrameHeader header, absl::string_view payload);

 private:
  Fd fd_;
};

// Two connected sockets, non-blocking, over TCP on loopback.
std::pair<Fd, Fd> SocketPair();

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_RAW_PEER_H_
