// SHA-256 and HMAC-SHA256 (FIPS 180-4, RFC 2104), over OpenSSL.

#ifndef SHOAL_RUNTIME_BASE_SHA256_H_
#define SHOAL_RUNTIME_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

using Sha256Digest = std::array<uint8_t, 32>;

// A digest built up piece by piece. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(const void* data, size_t size);
  void Update(absl::string_view bytes) { Update(bytes.data(), bytes.size()); }

  // The digest of all updates; afterwards it starts anew.
  Sha256Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Digest Sha256Of(absl::string_view bytes);

// Proves that whoever made it held `key` and `message`. Compare with
// ConstantTimeEqual.
Sha256Digest HmacSha256(absl::string_view key, absl::string_view message);

// Takes the same time wherever the two differ, so that an attacker cannot
// guess byte by byte. The lengths are not secret.
bool ConstantTimeEqual(absl::string_view a, absl::string_view b);

// 64 lower-case hex digits.
std::string HexOf(const Sha256Digest& digest);
// The 32 bytes as a string.
std::string BytesOf(const Sha256Digest& digest);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_SHA256_H_
