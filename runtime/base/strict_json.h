#ifndef SHOAL_RUNTIME_BASE_STRICT_JSON_H_
#define SHOAL_RUNTIME_BASE_STRICT_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace shoal {

// Parses one JSON document that came from outside.  INVALID_ARGUMENT, beginning with `what`, for
// bad syntax, bad UTF-8, data after the document, a key that stands twice in an object, or nesting
// deeper than `max_depth`: two readers of an ambiguous file must never see different things.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text, absl::string_view what,
                                               int max_depth = 8);

// What an error message shows of a text or a value from outside: one line of UTF-8 without control
// characters, whatever its bytes are, cut after some 120.  A name of a megabyte, or with a line
// break that forges a log line, is quoted harmlessly.
std::string Shown(absl::string_view text);
std::string ShownJson(const nlohmann::json& value);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_STRICT_JSON_H_
