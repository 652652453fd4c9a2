#include "runtime/comm/tcp/hello.h"

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"

namespace shoal::internal {
namespace {

constexpr absl::string_view kMagic = "SHOALMS1";  // the last character is the version

constexpr uint32_t kMaxRank = INT32_MAX;

template <typename T>
void Append(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendText(std::string* out, absl::string_view text) {
  Append(out, static_cast<uint32_t>(text.size()));
  out->append(text.data(), text.size());
}

// Reads fields from the front of `rest`; after the first that does not fit, ok() is false.
class Reader {
 public:
  explicit Reader(absl::string_view rest) : rest_(rest) {}

  template <typename T>
  void Read(T* value) {
    const absl::string_view bytes = Take(sizeof(*value));
    if (ok_) std::memcpy(value, bytes.data(), sizeof(*value));
  }
  void ReadText(std::string* text) {
    uint32_t size = 0;
    Read(&size);
    *text = std::string(Take(size));
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  absl::string_view Take(size_t n) {
    ok_ = ok_ && n <= rest_.size();
    if (!ok_) return {};
    const absl::string_view front = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return front;
  }

  absl::string_view rest_;
  bool ok_ = true;
};

// A stranger may say anything: it must not forge a log line.
absl::Status Differ(absl::string_view field, absl::string_view here, absl::string_view there) {
  return absl::FailedPreconditionError(absl::StrCat(
      field, " is ", absl::CHexEscape(here), " here and ", absl::CHexEscape(there), " there"));
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  std::string body;
  AppendText(&body, hello.cluster);
  Append(&body, hello.epoch.number);
  Append(&body, hello.epoch.incarnation);
  AppendText(&body, hello.layout);
  Append(&body, hello.from);
  Append(&body, hello.to);
  AppendText(&body, hello.nonce);
  CHECK_LE(body.size(), kMaxHelloBytes);
  std::string encoded(kMagic);
  Append(&encoded, static_cast<uint32_t>(body.size()));
  return encoded + body;
}

absl::StatusOr<size_t> DecodeHelloPrefix(absl::string_view prefix) {
  CHECK_EQ(prefix.size(), kHelloPrefixBytes);
  if (prefix.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("does not speak this version of the mesh protocol");
  }
  uint32_t size = 0;
  std::memcpy(&size, prefix.data() + kMagic.size(), sizeof(size));
  if (size > kMaxHelloBytes) {
    return absl::DataLossError(
        absl::StrCat("Hello of ", size, " bytes, more than ", kMaxHelloBytes));
  }
  return size;
}

absl::StatusOr<Hello> DecodeHello(absl::string_view body) {
  Hello hello;
  Reader reader(body);
  reader.ReadText(&hello.cluster);
  reader.Read(&hello.epoch.number);
  reader.Read(&hello.epoch.incarnation);
  reader.ReadText(&hello.layout);
  reader.Read(&hello.from);
  reader.Read(&hello.to);
  reader.ReadText(&hello.nonce);
  if (!reader.done())
    return absl::DataLossError(absl::StrCat("Hello of ", body.size(), " bytes is malformed"));
  if (hello.nonce.size() != Hello::kNonceBytes) {
    return absl::DataLossError(absl::StrCat("Hello with a nonce of ", hello.nonce.size(),
                                            " bytes, not ", Hello::kNonceBytes));
  }
  if (hello.from > kMaxRank || hello.to > kMaxRank) {
    return absl::DataLossError(
        absl::StrCat("Hello from rank ", hello.from, " to rank ", hello.to, ", beyond ", kMaxRank));
  }
  return hello;
}

absl::Status CompareHello(const Hello& mine, const Hello& theirs, uint32_t peer) {
  if (mine.cluster != theirs.cluster) return Differ("cluster", mine.cluster, theirs.cluster);
  if (mine.epoch != theirs.epoch) {
    return absl::UnavailableError(
        Differ("epoch", EpochName(mine.epoch), EpochName(theirs.epoch)).message());
  }
  if (mine.layout != theirs.layout) return Differ("layout", mine.layout, theirs.layout);
  if (theirs.from != peer) return Differ("rank", absl::StrCat(peer), absl::StrCat(theirs.from));
  if (theirs.to != mine.from)
    return Differ("own rank", absl::StrCat(mine.from), absl::StrCat(theirs.to));
  return absl::OkStatus();
}

std::string Proof(absl::string_view key, Role role, absl::string_view dialer,
                  absl::string_view acceptor) {
  // Each Hello carries its length, so the two cannot be shifted against each other.
  return BytesOf(HmacSha256(
      key, absl::StrCat(role == Role::kDialer ? "shoal mesh dialer" : "shoal mesh acceptor", dialer,
                        acceptor)));
}

}  // namespace shoal::internal
