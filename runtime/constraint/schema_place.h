#ifndef SHOAL_RUNTIME_CONSTRAINT_SCHEMA_PLACE_H_
#define SHOAL_RUNTIME_CONSTRAINT_SCHEMA_PLACE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace shoal {

// Keeps the order of an object's members.
using SchemaJson = nlohmann::ordered_json;

// A subschema and where it stands. Borrows the document.
struct SchemaPlace {
  const SchemaJson* json;
  std::string pointer;  // RFC 6901, behind "#"

  SchemaPlace Child(absl::string_view key) const;
  SchemaPlace Child(absl::string_view key, size_t index) const;

  bool Has(absl::string_view key) const;
  const SchemaJson& operator[](absl::string_view key) const { return json->at(std::string(key)); }

  // "#/properties/a: why".
  absl::Status Refuse(absl::string_view why) const;
  // Refuses every keyword but `accepted` and those that say nothing about the
  // value (title, description, ...). `because` ends the message.
  absl::Status AcceptOnly(const std::vector<absl::string_view>& accepted,
                          absl::string_view because) const;
  // A count keyword, 0 to `most`; nullopt if it is not there.
  absl::StatusOr<std::optional<int>> Count(absl::string_view key, int most,
                                           absl::string_view limit) const;
};

// The types a schema's values may have, as in "type". Sorted.
using SchemaTypes = std::vector<std::string>;

// "type", or what the keywords without one speak of; empty if neither.
absl::StatusOr<SchemaTypes> TypesOf(const SchemaPlace& schema);
// The keywords that apply to values of the type.
const std::vector<absl::string_view>& KeywordsOf(absl::string_view type);
bool HasType(const nlohmann::json& value, absl::string_view type);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_SCHEMA_PLACE_H_
