#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal::fuzz {

void CheckRefusal(const absl::Status& refusal, absl::string_view subject) {
  constexpr size_t kLongest = 1500;
  const absl::string_view message = refusal.message();
  CHECK(!refusal.ok());
  CHECK(absl::StartsWith(message, subject)) << message << ", which does not name " << subject;
  CHECK_LE(message.size(), kLongest);
  CHECK(std::all_of(message.begin(), message.end(), [](unsigned char c) {
    return c >= 0x20 && c != 0x7f;
  })) << message;
}

MemoryFile::MemoryFile() : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
  CHECK_GE(fd_, 0);
  path_ = absl::StrCat("/proc/self/fd/", fd_);
}

MemoryFile::~MemoryFile() { close(fd_); }

void MemoryFile::Write(absl::string_view content) {
  CHECK_EQ(ftruncate(fd_, static_cast<off_t>(content.size())), 0);
  CHECK_EQ(pwrite(fd_, content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
}

uint8_t Input::Byte() {
  const absl::string_view byte = Bytes(1);
  return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
}

absl::string_view Input::Bytes(size_t n) {
  const absl::string_view front = rest_.substr(0, n);
  rest_.remove_prefix(front.size());
  return front;
}

}  // namespace shoal::fuzz
