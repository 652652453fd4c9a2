// A value that must not reach a log, a metric, an error message or a stream:
// prompt and output text, token ids, keys.

#ifndef SHOAL_RUNTIME_BASE_REDACTED_H_
#define SHOAL_RUNTIME_BASE_REDACTED_H_

#include <ostream>
#include <utility>

namespace shoal {

// Holds a T and converts to nothing. Streaming or logging one does not compile;
// who needs the value says Reveal(), which a reviewer can search for.
template <typename T>
class Redacted {
 public:
  Redacted() = default;
  explicit Redacted(T value) : value_(std::move(value)) {}

  const T& Reveal() const& { return value_; }
  T& Reveal() & { return value_; }
  T&& Reveal() && { return std::move(value_); }

  friend bool operator==(const Redacted&, const Redacted&) = default;
  friend std::ostream& operator<<(std::ostream&, const Redacted&) = delete;

 private:
  T value_{};
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_REDACTED_H_
