#include "runtime/comm/tcp/handshake.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/random64.h"
#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"

namespace shoal::internal {
namespace {

bool TryAgain(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Handshake Handshake::Dial(Fd fd, const Hello& mine, const std::string& key, int peer,
                          absl::Time since) {
  Handshake h(std::move(fd), Role::kDialer, mine, key, peer, since);
  h.mine_.to = static_cast<uint32_t>(peer);
  h.out_ = h.my_hello_ = EncodeHello(h.mine_);
  return h;
}

Handshake Handshake::Answer(Fd fd, const Hello& mine, const std::string& key, absl::Time since) {
  return Handshake(std::move(fd), Role::kAcceptor, mine, key, -1, since);
}

Handshake::Handshake(Fd fd, Role role, const Hello& mine, const std::string& key, int peer,
                     absl::Time since)
    : fd_(std::move(fd)),
      role_(role),
      mine_(mine),
      key_(key),
      peer_(peer),
      since_(since),
      stage_(role == Role::kDialer ? Stage::kConnecting : Stage::kHelloPrefix) {
  mine_.nonce = RandomBytes(Hello::kNonceBytes);
}

short Handshake::events() const {
  if (stage_ == Stage::kConnecting || !out_.empty()) return POLLIN | POLLOUT;
  return POLLIN;
}

absl::StatusOr<bool> Handshake::Step() {
  if (stage_ == Stage::kConnecting) {
    RETURN_IF_ERROR(ConnectError(fd_));
    stage_ = Stage::kHelloPrefix;
  }
  RETURN_IF_ERROR(Write());
  while (stage_ != Stage::kDone) {
    ASSIGN_OR_RETURN(const bool advanced, Advance());
    if (!advanced) return false;
    RETURN_IF_ERROR(Write());
  }
  return out_.empty();
}

absl::StatusOr<bool> Handshake::Advance() {
  const size_t needed = stage_ == Stage::kHelloPrefix ? kHelloPrefixBytes
                        : stage_ == Stage::kHelloBody ? body_bytes_
                                                      : kProofBytes;
  ASSIGN_OR_RETURN(const bool complete, Read(needed));
  if (!complete) return false;
  switch (stage_) {
    case Stage::kHelloPrefix: {
      ASSIGN_OR_RETURN(body_bytes_, DecodeHelloPrefix(in_));
      their_hello_ = in_;
      stage_ = Stage::kHelloBody;
      break;
    }
    case Stage::kHelloBody:
      RETURN_IF_ERROR(OnHello());
      stage_ = Stage::kProof;
      break;
    case Stage::kProof:
      RETURN_IF_ERROR(OnProof());
      stage_ = Stage::kDone;
      break;
    case Stage::kConnecting:
    case Stage::kDone:
      break;
  }
  in_.clear();
  return true;
}

absl::Status Handshake::OnHello() {
  ASSIGN_OR_RETURN(const Hello theirs, DecodeHello(in_));
  their_hello_ += in_;
  const bool acceptor = role_ == Role::kAcceptor;
  // Who disagrees still proves itself, so that both sides can name both values, and know who said
  // so.
  disagreement_ =
      CompareHello(mine_, theirs, acceptor ? theirs.from : static_cast<uint32_t>(peer_));
  if (acceptor) {
    peer_ = static_cast<int>(theirs.from);
    mine_.to = theirs.from;
    my_hello_ = EncodeHello(mine_);
    out_ = my_hello_ + Proof(key_, Role::kAcceptor, their_hello_, my_hello_);
  }
  return absl::OkStatus();
}

absl::Status Handshake::OnProof() {
  const bool dialer = role_ == Role::kDialer;
  const std::string& dialed = dialer ? my_hello_ : their_hello_;
  const std::string& accepted = dialer ? their_hello_ : my_hello_;
  if (!ConstantTimeEqual(in_,
                         Proof(key_, dialer ? Role::kAcceptor : Role::kDialer, dialed, accepted))) {
    if (!disagreement_.ok()) return disagreement_;
    return absl::UnauthenticatedError("its Hello is not signed with this epoch's group key");
  }
  proven_ = true;
  if (dialer) {
    out_ = Proof(key_, Role::kDialer, dialed, accepted);
    RETURN_IF_ERROR(Write());
  }
  return disagreement_;
}

absl::StatusOr<bool> Handshake::Read(size_t bytes) {
  while (in_.size() < bytes) {
    // Never beyond: what follows the proof are frames.
    char buffer[kMaxHelloBytes];
    const ssize_t got = recv(fd_.get(), buffer, bytes - in_.size(), MSG_DONTWAIT);
    if (got > 0) {
      in_.append(buffer, static_cast<size_t>(got));
      continue;
    }
    if (got < 0 && TryAgain(errno)) return false;
    if (!disagreement_.ok()) return disagreement_;
    return absl::UnavailableError(got == 0 ? "closed its connection before Hello was over"
                                           : ErrorText(errno));
  }
  return true;
}

absl::Status Handshake::Write() {
  while (!out_.empty()) {
    const ssize_t sent = send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
      return TryAgain(errno) ? absl::OkStatus() : absl::UnavailableError(ErrorText(errno));
    out_.erase(0, static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

}  // namespace shoal::internal
