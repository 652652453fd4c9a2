#ifndef SHOAL_RUNTIME_COMM_TCP_HELLO_H_
#define SHOAL_RUNTIME_COMM_TCP_HELLO_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/comm/tcp/frame.h"

namespace shoal::internal {

// How a mesh connection begins.  The dialer sends its Hello; the acceptor answers with its own and
// a proof; the dialer sends its proof.  A proof is HMAC-SHA256 under the group key over the role
// and both Hellos, so over both nonces: it can be neither made without the key nor used again nor
// turned around.
struct Hello {
  static constexpr size_t kNonceBytes = 32;

  std::string cluster;
  Epoch epoch;
  std::string layout;
  uint32_t from = 0, to = 0;
  std::string nonce;
};

inline constexpr size_t kHelloPrefixBytes = 12;  // magic and length
inline constexpr size_t kMaxHelloBytes = 2048;   // without the prefix
inline constexpr size_t kProofBytes = 32;

// With its prefix.  REQUIRES: cluster and layout fit kMaxHelloBytes.
std::string EncodeHello(const Hello& hello);
// The length of the Hello that follows; DATA_LOSS for another protocol or version, or too long a
// Hello.
absl::StatusOr<size_t> DecodeHelloPrefix(absl::string_view prefix);
absl::StatusOr<Hello> DecodeHello(absl::string_view body);

// Whether `theirs` belongs to the same group as `mine` and comes from rank `peer`; the error names
// the field and both values.  UNAVAILABLE for another epoch, which can still become ours;
// FAILED_PRECONDITION for the rest.
absl::Status CompareHello(const Hello& mine, const Hello& theirs, uint32_t peer);

enum class Role { kDialer, kAcceptor };
// `dialer` and `acceptor` are the encoded Hellos.
std::string Proof(absl::string_view key, Role role, absl::string_view dialer,
                  absl::string_view acceptor);

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_HELLO_H_
