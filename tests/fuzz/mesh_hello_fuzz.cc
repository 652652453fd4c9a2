// Input: a byte of flags, the Hello of a peer without its prefix, and how it goes on.
//
// Proven means: the peer knew the key.  Done means: besides, cluster, epoch, layout and ranks are
// ours.  The proof is right where a flag says so: by chance the fuzzer would never find one.

#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/comm/tcp/handshake.h"
#include "runtime/comm/tcp/hello.h"
#include "tests/fuzz/fuzz.h"

namespace shoal::internal {
namespace {

constexpr absl::string_view kKey = "the group key of this epoch";

enum Flag : uint8_t {
  kAnswer = 1,     // the peer dials
  kOwnPrefix = 2,  // the input gives the prefix too
  kProof = 4,      // the right proof, else one of the input
  kPieces = 8,     // the Hello comes in two
};

Hello Mine() {
  return {.cluster = "shoal", .epoch = {7, 0xc0ffee}, .layout = "4 ranks", .from = 2};
}

// What stands before a body of `size` bytes.
std::string Prefix(size_t size) {
  std::string prefix = EncodeHello(Mine()).substr(0, kHelloPrefixBytes);
  const uint32_t length = static_cast<uint32_t>(size);
  std::memcpy(&prefix[kHelloPrefixBytes - sizeof(length)], &length, sizeof(length));
  return prefix;
}

// What is taken apart is put together to the same bytes.
void CheckHello(absl::string_view body) {
  if (body.size() > kMaxHelloBytes) return;  // its prefix is refused
  const auto hello = DecodeHello(body);
  if (!hello.ok()) return fuzz::CheckRefusal(hello.status(), "Hello ");
  CHECK(EncodeHello(*hello) == Prefix(body.size()) + std::string(body));
}

// The peer's side of a socket whose other end is a Handshake.
class Peer {
 public:
  Peer() {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    mine_ = Fd(fds[0]);
    theirs_ = Fd(fds[1]);
  }
  Fd TakeOther() { return std::move(theirs_); }
  void Send(absl::string_view bytes) {
    // It may have closed.
    (void)send(mine_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  std::string Receive() {
    char buffer[8192];
    const ssize_t n = recv(mine_.get(), buffer, sizeof(buffer), 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }

 private:
  Fd mine_, theirs_;
};

// Steps `handshake`; false when it is over.
bool Step(Handshake& handshake, bool proof_was_right, absl::string_view their_body) {
  const auto done = handshake.Step();
  CHECK(proof_was_right || !handshake.proven());
  if (!done.ok()) {
    fuzz::CheckRefusal(done.status(), "");
    return false;
  }
  if (!*done) return true;
  CHECK(handshake.proven());
  const auto theirs = DecodeHello(their_body);
  CHECK_OK(theirs.status());
  const Hello mine = Mine();
  CHECK(theirs->cluster == mine.cluster && theirs->epoch == mine.epoch &&
        theirs->layout == mine.layout);
  CHECK_EQ(theirs->to, mine.from);
  CHECK_EQ(theirs->from, static_cast<uint32_t>(handshake.peer()));
  return false;
}

void Converse(uint8_t flags, absl::string_view prefix, absl::string_view body,
              absl::string_view rest) {
  const bool answers = (flags & kAnswer) != 0;
  Peer peer;
  Handshake handshake =
      answers ? Handshake::Answer(peer.TakeOther(), Mine(), std::string(kKey), absl::UnixEpoch())
              : Handshake::Dial(peer.TakeOther(), Mine(), std::string(kKey), 3, absl::UnixEpoch());
  const std::string hello = std::string(prefix) + std::string(body);
  if (!Step(handshake, false, body)) return;
  const size_t cut = (flags & kPieces) != 0 ? hello.size() / 2 : 0;
  peer.Send(absl::string_view(hello).substr(0, cut));
  if (!Step(handshake, false, body)) return;
  peer.Send(absl::string_view(hello).substr(cut));
  if (!Step(handshake, false, body)) return;
  // Its Hello, without the proof that follows when it answers.
  std::string other = peer.Receive();
  if (answers && other.size() > kProofBytes) other.resize(other.size() - kProofBytes);
  const bool right = (flags & kProof) != 0;
  peer.Send(!right    ? rest
            : answers ? Proof(kKey, Role::kDialer, hello, other)
                      : Proof(kKey, Role::kAcceptor, other, hello));
  if (!Step(handshake, right, body)) return;
  peer = Peer();  // closes
  (void)Step(handshake, right, body);
}

}  // namespace
}  // namespace shoal::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::internal;
  shoal::fuzz::Input input(data, size);
  const uint8_t flags = input.Byte();
  const size_t body_size = input.Byte() + 256 * (input.Byte() % 9);
  const absl::string_view own = input.Bytes((flags & kOwnPrefix) != 0 ? kHelloPrefixBytes : 0);
  const absl::string_view body = input.Bytes(body_size);
  const std::string prefix = own.empty() ? Prefix(body.size()) : std::string(own);
  CheckHello(body);
  Converse(flags, prefix, body, input.Rest());
  return 0;
}
