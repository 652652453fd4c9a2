#ifndef SHOAL_RUNTIME_WEIGHTS_FILE_H_
#define SHOAL_RUNTIME_WEIGHTS_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace shoal {

// A regular file that is read at offsets.  Reads share no position, so any thread may call.
class InputFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT (not a regular file), with the path.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened

  // Fills `out`.  DATA_LOSS when the file ends before (it shrank), with both sizes.
  absl::Status Read(uint64_t offset, absl::Span<std::byte> out) const;
  // Fills `parts` one after the other from the bytes at `offset`, in as few reads as the system
  // allows.
  absl::Status ReadScattered(uint64_t offset, absl::Span<const absl::Span<std::byte>> parts) const;

 private:
  InputFile(std::string path, int fd, uint64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// A whole small file.  INVALID_ARGUMENT when it is larger than `max_bytes`, with both numbers.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, uint64_t max_bytes);

// Writes `content` beside `path` and renames it there, so that a reader sees all of it or nothing.
absl::Status WriteFileAtomically(const std::string& path, absl::Span<const std::byte> content);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_FILE_H_
