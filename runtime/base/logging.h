// Structured log lines: one event, then key=value fields.
//
//   log.Info("rank joined", {{"rank", rank}, {"epoch", epoch}});
//   ts=2024-05-01T12:00:00.000000Z level=info event="rank joined" rank=3 epoch=7
//
// A Logger is passed by reference to whoever logs; there is no global one. The
// code is our own because the guarantees are ours: no type that carries a
// prompt or an output becomes a field, no field can forge a line, and tests
// read every line from a sink.

#ifndef SHOAL_RUNTIME_BASE_LOGGING_H_
#define SHOAL_RUNTIME_BASE_LOGGING_H_

#include <concepts>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/base/redacted.h"

namespace shoal {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A field's value as text. Text is for names, paths and addresses: it is quoted
// where it holds anything but plain characters, escaped, and cut at 256 bytes.
class LogValue {
 public:
  LogValue(std::integral auto n) : text_(absl::StrCat(n)) {}  // NOLINT
  LogValue(bool b) : text_(b ? "true" : "false") {}           // NOLINT
  LogValue(double x) : text_(absl::StrCat(x)) {}              // NOLINT
  LogValue(absl::string_view text);                           // NOLINT
  LogValue(const std::string& text)                           // NOLINT
      : LogValue(absl::string_view(text)) {}
  LogValue(const char* text) : LogValue(absl::string_view(text)) {}  // NOLINT
  LogValue(absl::Duration d) : text_(absl::FormatDuration(d)) {}     // NOLINT
  LogValue(const absl::Status& status)                               // NOLINT
      : LogValue(absl::string_view(status.ToString())) {}
  template <typename T>
  LogValue(const Redacted<T>&) = delete;  // Must not reach a log.

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct LogField {
  absl::string_view key;  // lower_case, a constant
  LogValue value;
};

// Where lines go. Called by one thread at a time.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // `line` ends in a newline and holds no other.
  virtual void Write(LogLevel level, absl::string_view line) = 0;
};

// Standard error, one write(2) per line. A line that cannot be written is
// dropped: a full disk or a closed pipe must not stop the service.
class StderrSink : public LogSink {
 public:
  void Write(LogLevel level, absl::string_view line) override;
};

// Keeps the lines, for tests. Safe from any thread.
class CaptureSink : public LogSink {
 public:
  void Write(LogLevel level, absl::string_view line) override;
  std::vector<std::string> lines() const;

 private:
  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

// Safe from any thread.
class Logger {
 public:
  // `sink` and `clock` outlive the logger. Lines below `threshold` are dropped.
  explicit Logger(LogSink& sink, LogLevel threshold = LogLevel::kInfo,
                  const Clock& clock = RealClock::Get());

  using Fields = std::initializer_list<LogField>;
  void Debug(absl::string_view event, Fields f = {}) { Log(LogLevel::kDebug, event, f); }
  void Info(absl::string_view event, Fields f = {}) { Log(LogLevel::kInfo, event, f); }
  void Warning(absl::string_view event, Fields f = {}) { Log(LogLevel::kWarning, event, f); }
  void Error(absl::string_view event, Fields f = {}) { Log(LogLevel::kError, event, f); }
  void Log(LogLevel level, absl::string_view event, Fields fields);

 private:
  const LogLevel threshold_;
  const Clock& clock_;
  Mutex mu_;
  LogSink& sink_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_LOGGING_H_
