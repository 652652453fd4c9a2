// Early return on error, for functions that return absl::Status or
// absl::StatusOr<T>. Abseil has no such macros in the release we build with.
//
//   RETURN_IF_ERROR(file.Read(offset, bytes));
//   ASSIGN_OR_RETURN(const Config config, ReadConfig(path));
//
// ASSIGN_OR_RETURN expands to several statements: it needs braces around it
// under an `if`. A left side that holds a comma is put in parentheses.

#ifndef SHOAL_RUNTIME_BASE_STATUS_MACROS_H_
#define SHOAL_RUNTIME_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal {

// `status` with "context: " before its message; OK stays OK. Payloads are kept.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace shoal

#define RETURN_IF_ERROR(expression)                                                         \
  do {                                                                                      \
    if (absl::Status shoal_status = (expression); ABSL_PREDICT_FALSE(!shoal_status.ok())) { \
      return shoal_status;                                                                  \
    }                                                                                       \
  } while (false)

#define SHOAL_CONCAT_INNER_(a, b) a##b
#define SHOAL_CONCAT_(a, b) SHOAL_CONCAT_INNER_(a, b)
// Takes the parentheses off a left side that needed them for its comma.
#define SHOAL_UNWRAP_(x) SHOAL_UNWRAP_EMPTY_(SHOAL_UNWRAP_ARGS_ x)
#define SHOAL_UNWRAP_ARGS_(...) SHOAL_UNWRAP_ARGS_ __VA_ARGS__
#define SHOAL_UNWRAP_EMPTY_(...) SHOAL_UNWRAP_EXPAND_(SHOAL_DROP_, __VA_ARGS__)
#define SHOAL_UNWRAP_EXPAND_(prefix, ...) SHOAL_UNWRAP_PASTE_(prefix, __VA_ARGS__)
#define SHOAL_UNWRAP_PASTE_(prefix, ...) prefix##__VA_ARGS__
#define SHOAL_DROP_SHOAL_UNWRAP_ARGS_

#define SHOAL_ASSIGN_OR_RETURN_(statusor, lhs, expression) \
  auto statusor = (expression);                            \
  if (ABSL_PREDICT_FALSE(!statusor.ok())) {                \
    return std::move(statusor).status();                   \
  }                                                        \
  SHOAL_UNWRAP_(lhs) = *std::move(statusor)

#define ASSIGN_OR_RETURN(lhs, expression) \
  SHOAL_ASSIGN_OR_RETURN_(SHOAL_CONCAT_(shoal_statusor_, __LINE__), lhs, expression)

#endif  // SHOAL_RUNTIME_BASE_STATUS_MACROS_H_
