#include "services/common/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen address \"", address, "\": want HOST:PORT with a port in 0..65535"));
  }
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return HostPort{std::string(host), absl::StrCat(port)};
}

std::string BoundAddress(int fd) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  CHECK_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  CHECK_EQ(getnameinfo(reinterpret_cast<sockaddr*>(&storage), size, host, sizeof(host), port,
                       sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV),
           0);
  const bool v6 = storage.ss_family == AF_INET6;
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(const std::string& address) {
  ASSIGN_OR_RETURN(const HostPort where, Split(address));
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(where.host.c_str(), where.port.c_str(), &hints, &found)) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen address \"", address,
                     "\": the host must be a numeric address: ", gai_strerror(error)));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  int error = 0;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
    error = errno;
    if (fd >= 0) close(fd);
  }
  freeaddrinfo(found);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", strerror(error)));
  }
  return std::unique_ptr<Listener>(new Listener(fd, BoundAddress(fd)));
}

Listener::Listener(int fd, std::string address) : fd_(fd), address_(std::move(address)) {
  CHECK_EQ(pipe2(wake_, O_CLOEXEC), 0);
  reserve_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Listener::~Listener() {
  Stop();
  for (const int fd : {fd_, wake_[0], wake_[1], reserve_}) {
    if (fd >= 0) close(fd);
  }
}

void Listener::Start(OnConnection on_connection) {
  CHECK(!thread_.joinable());
  on_connection_ = std::move(on_connection);
  thread_ = std::thread([this] { Loop(); });
}

void Listener::Stop() {
  if (!thread_.joinable()) return;
  const char byte = 0;
  CHECK_EQ(write(wake_[1], &byte, 1), 1);
  thread_.join();
  // The socket stays bound and no longer listens: who dials now is refused, rather than left in a
  // backlog that nobody serves.
  shutdown(fd_, SHUT_RDWR);
}

void Listener::Shed() {
  if (reserve_ >= 0) close(reserve_);
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    shed_.fetch_add(1, std::memory_order_relaxed);
  }
  reserve_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Listener::Loop() {
  pollfd polled[2] = {{fd_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
  for (;;) {
    if (poll(polled, 2, -1) < 0) continue;  // EINTR
    if (polled[1].revents != 0) return;
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      on_connection_(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      Shed();
    }
    // Anything else (ECONNABORTED, EAGAIN, ...) concerns one connection that is gone already.
  }
}

}  // namespace shoal
