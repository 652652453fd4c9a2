#include "runtime/base/random64.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/check.h"

namespace shoal {
namespace {

void Fill(char* out, size_t size) {
  while (size > 0) {
    const ssize_t got = getrandom(out, size, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0) << std::strerror(errno);
    out += got;
    size -= static_cast<size_t>(got);
  }
}

}  // namespace

uint64_t Random64() {
  char bytes[sizeof(uint64_t)];
  Fill(bytes, sizeof(bytes));
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  Fill(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace shoal
