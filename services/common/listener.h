// A listening TCP socket and the thread that accepts from it.
//
// Why not gRPC's own: in 1.51 one EMFILE from accept() ends accepting for good although the process
// lives (CVE-2023-4785). This loop keeps one descriptor in reserve: when descriptors run out it
// closes the reserve, accepts, closes the new connection at once (the client sees a reset, not a
// hang) and takes the reserve back.

#ifndef SHOAL_SERVICES_COMMON_LISTENER_H_
#define SHOAL_SERVICES_COMMON_LISTENER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace shoal {

class Listener {
 public:
  // Called on the accept thread with a connected, non-blocking socket; the callee owns `fd`.
  using OnConnection = std::function<void(int fd)>;

  // `address` is HOST:PORT with a numeric host ("127.0.0.1:0", "[::1]:50051"); port 0 picks one.
  // INVALID_ARGUMENT for another form, UNAVAILABLE naming the address when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(const std::string& address);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& address() const { return address_; }  // with the port that was bound
  int fd() const { return fd_; }

  // Starts accepting. REQUIRES: called once.
  void Start(OnConnection on_connection);
  void Stop();  // returns when the accept thread has ended; idempotent

  // Connections closed at once because descriptors had run out.
  int64_t shed() const { return shed_.load(std::memory_order_relaxed); }

 private:
  Listener(int fd, std::string address);
  void Loop();
  void Shed();

  const int fd_;
  const std::string address_;
  int wake_[2] = {-1, -1};  // a pipe: Stop() writes
  int reserve_ = -1;
  OnConnection on_connection_;
  std::thread thread_;
  std::atomic<int64_t> shed_{0};
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_LISTENER_H_
