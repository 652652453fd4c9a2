// Reading a JSON object whose every field must be known: a setting that we do
// not implement is refused rather than overlooked.

#ifndef SHOAL_RUNTIME_TEXT_JSON_FIELDS_H_
#define SHOAL_RUNTIME_TEXT_JSON_FIELDS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace shoal {

// What a field may be. An empty list accepts anything: the reader looks at the
// field itself, or it does not bear on what we do.
using FieldRules = std::map<std::string, std::vector<nlohmann::json>>;

// OK if `object` is an object and each of its fields has a rule and a value
// that the rule accepts; absent fields are fine. Otherwise InvalidArgument
// naming the field (with `where`, say "model", before it), its value and the
// accepted ones.
absl::Status CheckFields(const nlohmann::json& object, absl::string_view where,
                         const FieldRules& rules);

// The field, or InvalidArgument if it is absent or of another type.
// `object` outlives the result. REQUIRES: object.is_object().
absl::StatusOr<const nlohmann::json*> ObjectField(const nlohmann::json& object,
                                                  absl::string_view where, const std::string& key);
absl::StatusOr<const nlohmann::json*> ArrayField(const nlohmann::json& object,
                                                 absl::string_view where, const std::string& key);
absl::StatusOr<std::string> StringField(const nlohmann::json& object, absl::string_view where,
                                        const std::string& key);

// The whole file. NotFound; InvalidArgument if it is no regular file or larger
// than 64 MiB, with both sizes.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_JSON_FIELDS_H_
