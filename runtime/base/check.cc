#include "runtime/base/check.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace shoal::internal {

CheckFailure::CheckFailure(const char* file, int line, const char* expression) {
  stream_ << file << ":" << line << ": CHECK failed: " << expression << " ";
}

CheckFailure::CheckFailure(const char* file, int line, std::unique_ptr<std::string> text)
    : CheckFailure(file, line, text->c_str()) {}

CheckFailure::~CheckFailure() {
  stream_ << "\n";
  const std::string text = stream_.str();
  // One write, past all buffers: the process is about to end. If stderr is
  // closed there is nobody left to tell.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  std::abort();
}

std::unique_ptr<std::string> CheckOk(const absl::Status& status, const char* expression) {
  if (ABSL_PREDICT_TRUE(status.ok())) return nullptr;
  return std::make_unique<std::string>(std::string(expression) + " is OK (it is " +
                                       status.ToString() + ")");
}

}  // namespace shoal::internal
