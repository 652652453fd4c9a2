#include "runtime/comm/tcp/raw_peer.h"

#include <poll.h>
#include <sys/socket.h>

#include "runtime/base/check.h"
#include "runtime/base/crc32c.h"

namespace shoal::internal {

void RawPeer::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    pollfd writable = {fd_.get(), POLLOUT, 0};
    CHECK_EQ(poll(&writable, 1, 10000), 1) << "the group took no bytes for 10 s";
    if ((writable.revents & (POLLERR | POLLHUP)) != 0) return;  // it has given up already
  }
}

void RawPeer::HalfClose() { shutdown(fd_.get(), SHUT_WR); }

std::string RawPeer::Frame(FrameHeader header, absl::string_view payload) {
  header.length = payload.size();
  header.payload_crc = Crc32c(payload);
  const FrameHeaderBytes bytes = EncodeHeader(header);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) +
         std::string(payload);
}

std::pair<Fd, Fd> SocketPair() {
  std::string address;
  absl::StatusOr<Fd> listener = Listen("127.0.0.1:0", &address);
  CHECK_OK(listener);
  absl::StatusOr<SocketAddress> resolved = ResolveAddress(address);
  CHECK_OK(resolved);
  absl::StatusOr<Fd> near = StartConnect(*resolved);
  CHECK_OK(near);
  pollfd waiting = {listener->get(), POLLIN, 0};
  CHECK_EQ(poll(&waiting, 1, 10000), 1);
  Fd far = Accept(*listener);
  CHECK(far.valid());
  return {*std::move(near), std::move(far)};
}

}  // namespace shoal::internal
