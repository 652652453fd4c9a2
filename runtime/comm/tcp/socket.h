#ifndef SHOAL_RUNTIME_COMM_TCP_SOCKET_H_
#define SHOAL_RUNTIME_COMM_TCP_SOCKET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace shoal::internal {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Something to poll for that one thread raises for another.
class Event {
 public:
  Event();
  void Raise();
  void Clear();
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

// "host:port", "[::1]:port".  INVALID_ARGUMENT names the text; UNAVAILABLE when the name does not
// resolve.
absl::StatusOr<SocketAddress> ResolveAddress(const std::string& address);

// The text of errno `error`.
std::string ErrorText(int error);

// All sockets here begin non-blocking, and close on exec.
//
// `bound` becomes the address with the port that was bound.
absl::StatusOr<Fd> Listen(const std::string& address, std::string* bound);
// A connection that may still be under way: writable when it is done, ConnectError() says how it
// went.
absl::StatusOr<Fd> StartConnect(const SocketAddress& address);
absl::Status ConnectError(const Fd& fd);
// The next waiting connection; an invalid Fd when there is none.
Fd Accept(const Fd& listener);
// No delay, and keepalive probes that find a machine that is gone while nobody sends.
void SetMeshOptions(const Fd& fd);
// Makes reads without MSG_DONTWAIT wait for up to `patience`.
void SetBlocking(const Fd& fd, absl::Duration patience);

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_SOCKET_H_
