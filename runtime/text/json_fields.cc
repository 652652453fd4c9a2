#include "runtime/text/json_fields.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

// Eight times the 671B model's tokenizer.json.
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;

std::string Name(absl::string_view where, absl::string_view key) {
  return where.empty() ? std::string(key) : absl::StrCat(where, ".", key);
}

absl::StatusOr<const Json*> FieldOfType(const Json& object, absl::string_view where,
                                        const std::string& key, Json::value_t type) {
  const auto it = object.find(key);
  if (it == object.end()) {
    return absl::InvalidArgumentError(absl::StrCat(Name(where, key), " is missing"));
  }
  if (it->type() != type) {
    return absl::InvalidArgumentError(absl::StrCat(Name(where, key), " is ", ShownJson(*it),
                                                   ", not of type ", Json(type).type_name()));
  }
  return &*it;
}

}  // namespace

absl::Status CheckFields(const Json& object, absl::string_view where, const FieldRules& rules) {
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is ", ShownJson(object), ", not an object"));
  }
  for (const auto& [key, value] : object.items()) {
    const auto rule = rules.find(key);
    if (rule == rules.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Name(where, Shown(key)), " is ", ShownJson(value), ": an unknown field"));
    }
    const std::vector<Json>& accepted = rule->second;
    if (accepted.empty() || std::find(accepted.begin(), accepted.end(), value) != accepted.end()) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        Name(where, key), " is ", ShownJson(value),
        "; supported: ", absl::StrJoin(accepted, ", ", [](std::string* out, const Json& v) {
          out->append(ShownJson(v));
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

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type != std::filesystem::file_type::regular &&
      type != std::filesystem::file_type::not_found) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  const auto size = static_cast<uint64_t>(file.tellg());
  if (size > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", size, " bytes; at most ", kMaxFileBytes, " are expected"));
  }
  std::string bytes(size, '\0');
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!file) {
    return absl::DataLossError(
        absl::StrCat(path, " ended after ", file.gcount(), " of ", size, " bytes"));
  }
  return bytes;
}

}  // namespace shoal
