#ifndef SHOAL_RUNTIME_COMM_TCP_HANDSHAKE_H_
#define SHOAL_RUNTIME_COMM_TCP_HANDSHAKE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/comm/tcp/hello.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal::internal {

// One connection on its way from connect() or accept() to a link.  Never blocks; driven by its
// owner's poll loop.
class Handshake {
 public:
  // `mine` without `to` and nonce.  The dialer knows its peer; the acceptor learns it.  `since` is
  // now, as Clock has it.
  static Handshake Dial(Fd fd, const Hello& mine, const std::string& key, int peer,
                        absl::Time since);
  static Handshake Answer(Fd fd, const Hello& mine, const std::string& key, absl::Time since);

  // Does what it can now.  True when both sides are proven: TakeFd() is the link.  An error is
  // final for this connection: UNAVAILABLE when another attempt may fare better, else a
  // disagreement.
  absl::StatusOr<bool> Step();

  int fd() const { return fd_.get(); }
  short events() const;  // to poll for
  Role role() const { return role_; }
  int peer() const { return peer_; }  // -1 while unknown
  // Whether the peer has shown that it holds the group key and the same epoch, though it may fail
  // in the rest.
  bool proven() const { return proven_; }
  absl::Time since() const { return since_; }
  Fd TakeFd() { return std::move(fd_); }

 private:
  enum class Stage { kConnecting, kHelloPrefix, kHelloBody, kProof, kDone };

  Handshake(Fd fd, Role role, const Hello& mine, const std::string& key, int peer,
            absl::Time since);

  absl::StatusOr<bool> Read(size_t bytes);  // until `in_` holds so many; false: not yet
  absl::Status Write();
  absl::StatusOr<bool> Advance();  // past the current stage; false: not yet
  absl::Status OnHello();
  absl::Status OnProof();

  Fd fd_;
  Role role_;
  Hello mine_;
  std::string key_;
  int peer_;
  absl::Time since_;
  Stage stage_;
  bool proven_ = false;
  absl::Status disagreement_;           // of the two Hellos, until the proof shows who says so
  std::string my_hello_, their_hello_;  // encoded
  size_t body_bytes_ = 0;
  std::string in_, out_;
};

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_HANDSHAKE_H_
