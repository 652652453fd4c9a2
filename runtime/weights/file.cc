#include "runtime/weights/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"

namespace shoal {

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not hang; it has no effect on a regular file.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  InputFile file(path, fd, 0);
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot stat ", path));
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  file.size_ = static_cast<uint64_t>(info.st_size);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status InputFile::Read(uint64_t offset, absl::Span<std::byte> out) const {
  return ReadScattered(offset, {out});
}

absl::Status InputFile::ReadScattered(uint64_t offset,
                                      absl::Span<const absl::Span<std::byte>> parts) const {
  std::vector<iovec> todo;
  for (const absl::Span<std::byte> part : parts) {
    if (!part.empty()) todo.push_back({part.data(), part.size()});
  }
  for (size_t first = 0; first < todo.size();) {
    const int count = static_cast<int>(std::min<size_t>(todo.size() - first, IOV_MAX));
    const ssize_t n = preadv(fd_, &todo[first], count, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path_, " at byte ", offset));
    if (n == 0) {
      return absl::DataLossError(absl::StrCat(path_, " ends at byte ", offset,
                                              " while it is read; it had ", size_,
                                              " bytes when opened"));
    }
    offset += static_cast<uint64_t>(n);
    for (size_t left = static_cast<size_t>(n); left > 0;) {
      iovec& part = todo[first];
      const size_t taken = std::min(left, part.iov_len);
      part.iov_base = static_cast<std::byte*>(part.iov_base) + taken;
      part.iov_len -= taken;
      left -= taken;
      if (part.iov_len == 0) ++first;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  if (file.size() > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", file.size(), " bytes; at most ", max_bytes, " are expected"));
  }
  std::string text(file.size(), '\0');
  RETURN_IF_ERROR(file.Read(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
  return text;
}

absl::Status WriteFileAtomically(const std::string& path, absl::Span<const std::byte> content) {
  const std::string temporary = absl::StrCat(path, ".partial");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", temporary));
  absl::Status status;
  for (size_t done = 0; done < content.size() && status.ok();) {
    const ssize_t n = write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", temporary));
    if (n > 0) done += static_cast<size_t>(n);
  }
  if (close(fd) != 0 && status.ok())
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot close ", temporary));
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", temporary, " to ", path));
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace shoal
