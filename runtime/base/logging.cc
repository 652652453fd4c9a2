#include "runtime/base/logging.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace shoal {
namespace {

constexpr size_t kMaxText = 256;

bool IsPlain(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("._-:/+@%").find(c) != absl::string_view::npos;
  });
}

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kMaxText;
  if (!cut && IsPlain(text)) return std::string(text);
  return absl::StrCat("\"", absl::CEscape(text.substr(0, kMaxText)), cut ? "...\"" : "\"");
}

absl::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

}  // namespace

LogValue::LogValue(absl::string_view text) : text_(Quoted(text)) {}

void StderrSink::Write(LogLevel, absl::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<size_t>(written));
  }
}

void CaptureSink::Write(LogLevel, absl::string_view line) {
  MutexLock lock(&mu_);
  lines_.emplace_back(line);
}

std::vector<std::string> CaptureSink::lines() const {
  MutexLock lock(&mu_);
  return lines_;
}

Logger::Logger(LogSink& sink, LogLevel threshold, const Clock& clock)
    : threshold_(threshold), clock_(clock), sink_(sink) {}

void Logger::Log(LogLevel level, absl::string_view event, Fields fields) {
  if (level < threshold_) return;
  std::string line = absl::StrCat(
      "ts=", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", clock_.TimeOfDay(), absl::UTCTimeZone()),
      " level=", NameOf(level), " event=", Quoted(event));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=", field.value.text());
  }
  line.push_back('\n');
  MutexLock lock(&mu_);
  sink_.Write(level, line);
}

}  // namespace shoal
