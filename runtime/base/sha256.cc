#include "runtime/base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"

#include "runtime/base/check.h"

namespace shoal {

// OpenSSL's calls below fail only when memory runs out or the library is
// broken: neither is an error a caller could act on.
struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(md); }

  void Start() { CHECK_EQ(EVP_DigestInit_ex(md, EVP_sha256(), nullptr), 1); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  CHECK(context_->md != nullptr);
  context_->Start();
}

Sha256::~Sha256() = default;

void Sha256::Update(const void* data, size_t size) {
  CHECK_EQ(EVP_DigestUpdate(context_->md, data, size), 1);
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  CHECK_EQ(EVP_DigestFinal_ex(context_->md, digest.data(), nullptr), 1);
  context_->Start();
  return digest;
}

Sha256Digest Sha256Of(absl::string_view bytes) {
  Sha256 sha;
  sha.Update(bytes);
  return sha.Finish();
}

Sha256Digest HmacSha256(absl::string_view key, absl::string_view message) {
  Sha256Digest digest;
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(),
             &size) != nullptr);
  CHECK_EQ(size, digest.size());
  return digest;
}

bool ConstantTimeEqual(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string BytesOf(const Sha256Digest& digest) {
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

std::string HexOf(const Sha256Digest& digest) { return absl::BytesToHexString(BytesOf(digest)); }

}  // namespace shoal
