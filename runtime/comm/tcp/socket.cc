#include "runtime/comm/tcp/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"

namespace shoal::internal {
namespace {

void SetOption(const Fd& fd, int level, int option, int value) {
  // A refused option costs speed or a late notice, never correctness.
  (void)setsockopt(fd.get(), level, option, &value, sizeof(value));
}

// With the port that the kernel chose.
std::string BoundAddress(const Fd& fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  CHECK_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size), 0);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  CHECK_EQ(getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.size, host,
                       sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV),
           0);
  const bool v6 = address.storage.ss_family == AF_INET6;
  return v6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Event::Event() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(fd_.valid()) << "eventfd: " << ErrorText(errno);
}

void Event::Raise() {
  const uint64_t one = 1;
  (void)!write(fd_.get(), &one, sizeof(one));  // fails only when it is raised to the brim already
}

void Event::Clear() {
  uint64_t count;
  (void)!read(fd_.get(), &count, sizeof(count));
}

std::string ErrorText(int error) { return std::generic_category().message(error); }

absl::StatusOr<SocketAddress> ResolveAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("address \"", address, "\" is not host:port"));
  }
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(absl::StrCat("address \"", address, "\": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  SocketAddress resolved;
  resolved.size = found->ai_addrlen;
  std::memcpy(&resolved.storage, found->ai_addr, found->ai_addrlen);
  return resolved;
}

absl::StatusOr<Fd> Listen(const std::string& address, std::string* bound) {
  ASSIGN_OR_RETURN(const SocketAddress resolved, ResolveAddress(address));
  Fd fd(socket(resolved.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid())
    return absl::UnavailableError(absl::StrCat("socket for ", address, ": ", ErrorText(errno)));
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  constexpr int kBacklog = 512;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&resolved.storage), resolved.size) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", ErrorText(errno)));
  }
  *bound = BoundAddress(fd);
  return fd;
}

absl::StatusOr<Fd> StartConnect(const SocketAddress& address) {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::UnavailableError(absl::StrCat("socket: ", ErrorText(errno)));
  SetMeshOptions(fd);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 &&
      errno != EINPROGRESS) {
    return absl::UnavailableError(ErrorText(errno));
  }
  return fd;
}

absl::Status ConnectError(const Fd& fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : absl::UnavailableError(ErrorText(error));
}

Fd Accept(const Fd& listener) {
  Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.valid()) SetMeshOptions(fd);
  return fd;
}

void SetMeshOptions(const Fd& fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void SetBlocking(const Fd& fd, absl::Duration patience) {
  const int flags = fcntl(fd.get(), F_GETFL);
  CHECK_EQ(fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  const timeval timeout =
      patience == absl::InfiniteDuration() ? timeval{} : absl::ToTimeval(patience);
  CHECK_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
}

}  // namespace shoal::internal
