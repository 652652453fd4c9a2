#ifndef SHOAL_TESTS_FUZZ_FUZZ_H_
#define SHOAL_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What each target defines, and libFuzzer calls with one input after another.  A property that does
// not hold is a CHECK that fails.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace shoal::fuzz {

// What holds of every refusal of outside data: it begins with `subject` (the file), and is one
// short line, whatever the data says.
void CheckRefusal(const absl::Status& refusal, absl::string_view subject);

// A regular file of this process alone, in memory.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& path() const { return path_; }
  void Write(absl::string_view content);  // instead of what it held

 private:
  int fd_;
  std::string path_;
};

// Takes an input apart from the front; at its end everything is zero or empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t Byte();
  absl::string_view Bytes(size_t n);  // fewer at the end
  absl::string_view Rest() { return Bytes(rest_.size()); }

 private:
  absl::string_view rest_;
};

}  // namespace shoal::fuzz

#endif  // SHOAL_TESTS_FUZZ_FUZZ_H_
