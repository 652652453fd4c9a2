// CHECK ends the process when our own code is wrong, and prints the values.
//
// It is for bugs only. Whatever can fail for outside reasons (a file, a peer, a
// request) is an absl::Status. The values of CHECK_EQ and its kin are printed:
// never compare prompt or output text or ids with them; CHECK(a == b) prints
// only the expression.
//
// DCHECK and its kin are compiled always and evaluated only without NDEBUG (the
// sanitizer builds), so they may stand in inner loops.

#ifndef SHOAL_RUNTIME_BASE_CHECK_H_
#define SHOAL_RUNTIME_BASE_CHECK_H_

#include <cstddef>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace shoal::internal {

// Collects the message; its destructor prints it to stderr and aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* expression);
  CheckFailure(const char* file, int line, std::unique_ptr<std::string> text);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();

  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

template <typename T>
concept Streamable = requires(std::ostream& os, const T& v) {
  os << v;
};

// Prints `value` as something a reader can compare.
template <typename T>
void PrintCheckValue(std::ostream& os, const T& value) {
  if constexpr (std::is_same_v<T, std::nullptr_t>) {
    os << "nullptr";
  } else if constexpr (std::is_enum_v<T>) {
    os << +static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (std::is_integral_v<T> && sizeof(T) == 1 && !std::is_same_v<T, bool>) {
    os << +value;  // int8_t is a number here, not a character.
  } else if constexpr (Streamable<T>) {
    os << value;
  } else {
    os << "<" << sizeof(T) << " bytes>";
  }
}

// Null when the relation holds, else the text of the failure.
#define SHOAL_DEFINE_CHECK_OP_(name, op)                                              \
  template <typename A, typename B>                                                   \
  std::unique_ptr<std::string> name(const A& a, const B& b, const char* expression) { \
    if (ABSL_PREDICT_TRUE(a op b)) return nullptr;                                    \
    std::ostringstream text;                                                          \
    text << expression << " (";                                                       \
    PrintCheckValue(text, a);                                                         \
    text << " vs. ";                                                                  \
    PrintCheckValue(text, b);                                                         \
    text << ")";                                                                      \
    return std::make_unique<std::string>(text.str());                                 \
  }
SHOAL_DEFINE_CHECK_OP_(CheckEq, ==)
SHOAL_DEFINE_CHECK_OP_(CheckNe, !=)
SHOAL_DEFINE_CHECK_OP_(CheckLt, <)
SHOAL_DEFINE_CHECK_OP_(CheckLe, <=)
SHOAL_DEFINE_CHECK_OP_(CheckGt, >)
SHOAL_DEFINE_CHECK_OP_(CheckGe, >=)
#undef SHOAL_DEFINE_CHECK_OP_

// Null when OK, else the text of the failure.
std::unique_ptr<std::string> CheckOk(const absl::Status& status, const char* expression);
template <typename T>
std::unique_ptr<std::string> CheckOk(const absl::StatusOr<T>& statusor, const char* expression) {
  return CheckOk(statusor.status(), expression);
}

}  // namespace shoal::internal

// Each takes a message: CHECK(n > 0) << "rank " << rank;
#define CHECK(condition)                   \
  while (ABSL_PREDICT_FALSE(!(condition))) \
  ::shoal::internal::CheckFailure(__FILE__, __LINE__, #condition).stream()

#define SHOAL_CHECK_OP_(name, op, a, b)                                                \
  while (auto shoal_check_text = ::shoal::internal::name((a), (b), #a " " #op " " #b)) \
  ::shoal::internal::CheckFailure(__FILE__, __LINE__, std::move(shoal_check_text)).stream()

#define CHECK_EQ(a, b) SHOAL_CHECK_OP_(CheckEq, ==, a, b)
#define CHECK_NE(a, b) SHOAL_CHECK_OP_(CheckNe, !=, a, b)
#define CHECK_LT(a, b) SHOAL_CHECK_OP_(CheckLt, <, a, b)
#define CHECK_LE(a, b) SHOAL_CHECK_OP_(CheckLe, <=, a, b)
#define CHECK_GT(a, b) SHOAL_CHECK_OP_(CheckGt, >, a, b)
#define CHECK_GE(a, b) SHOAL_CHECK_OP_(CheckGe, >=, a, b)

// For a Status or StatusOr that cannot fail unless our own code is wrong.
#define CHECK_OK(status)                                                        \
  while (auto shoal_check_text = ::shoal::internal::CheckOk((status), #status)) \
  ::shoal::internal::CheckFailure(__FILE__, __LINE__, std::move(shoal_check_text)).stream()

#ifdef NDEBUG
#define SHOAL_DCHECK_GUARD_ while (false)
#else
#define SHOAL_DCHECK_GUARD_
#endif

#define DCHECK(condition) SHOAL_DCHECK_GUARD_ CHECK(condition)
#define DCHECK_EQ(a, b) SHOAL_DCHECK_GUARD_ CHECK_EQ(a, b)
#define DCHECK_NE(a, b) SHOAL_DCHECK_GUARD_ CHECK_NE(a, b)
#define DCHECK_LT(a, b) SHOAL_DCHECK_GUARD_ CHECK_LT(a, b)
#define DCHECK_LE(a, b) SHOAL_DCHECK_GUARD_ CHECK_LE(a, b)
#define DCHECK_GT(a, b) SHOAL_DCHECK_GUARD_ CHECK_GT(a, b)
#define DCHECK_GE(a, b) SHOAL_DCHECK_GUARD_ CHECK_GE(a, b)

#endif  // SHOAL_RUNTIME_BASE_CHECK_H_
