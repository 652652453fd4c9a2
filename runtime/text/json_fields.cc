#include "runtime/text/json_fields.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

std::string Name(absl::string_view where, absl::string_view key) {
  return where.empty() ? std::string(key) : absl::StrCat(where, ".", key);
}

// A value short enough for an error message.
std::string Shown(const Json& value) {
  constexpr size_t kLongest = 120;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = absl::StrCat("a ", value.type_name());
  return text;
}

absl::StatusOr<const Json*> FieldOfType(const Json& object, absl::string_view where,
                                        const std::string& key, Json::value_t type) {
  const auto it = object.find(key);
  if (it == object.end()) {
    return absl::InvalidArgumentError(absl::StrCat(Name(where, key), " is missing"));
  }
  if (it->type() != type) {
    return absl::InvalidArgumentError(absl::StrCat(Name(where, key), " is ", Shown(*it),
                                                   ", not of type ", Json(type).type_name()));
  }
  return &*it;
}

}  // namespace

absl::Status CheckFields(const Json& object, absl::string_view where, const FieldRules& rules) {
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is ", Shown(object), ", not an object"));
  }
  for (const auto& [key, value] : object.items()) {
    const auto rule = rules.find(key);
    if (rule == rules.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Name(where, key), " is ", Shown(value), ": an unknown field"));
    }
    const std::vector<Json>& accepted = rule->second;
    if (accepted.empty() || std::find(accepted.begin(), accepted.end(), value) != accepted.end()) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        Name(where, key), " is ", Shown(value),
        "; supported: ", absl::StrJoin(accepted, ", ", [](std::string* out, const Json& v) {
          out->append(Shown(v));
        })));
  }
  return absl::OkStatus();
}

absl::StatusOr<const Json*> ObjectField(const Json& object, absl::string_view where,
                                        const std::string& key) {
  return FieldOfType(object, where, key, Json::value_t::object);
}

absl::StatusOr<const Json*> ArrayField(const Json& object, absl::string_view where,
                                       const std::string& key) {
  return FieldOfType(object, where, key, Json::value_t::array);
}

absl::StatusOr<std::string> StringField(const Json& object, absl::string_view where,
                                        const std::string& key) {
  ASSIGN_OR_RETURN(const Json* field, FieldOfType(object, where, key, Json::value_t::string));
  return field->get<std::string>();
}

absl::StatusOr<Json> ParseJson(absl::string_view name, absl::string_view bytes) {
  Json document = Json::parse(bytes.begin(), bytes.end(), nullptr,
                              /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is not JSON (", bytes.size(), " bytes)"));
  }
  return document;
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  if (!file || bytes.fail()) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  return bytes.str();
}

}  // namespace shoal
