#include "runtime/model/config_fields.h"

#include <utility>

#include "runtime/base/strict_json.h"

namespace shoal {

using nlohmann::json;

ConfigFields::ConfigFields(const json& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {
  if (!object.is_object()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(
        prefix_.empty() ? "the document" : prefix_, " is ", ShownJson(object), ", not an object"));
  }
}

bool ConfigFields::Has(const std::string& name) const {
  return object_.is_object() && object_.contains(name) && !object_[name].is_null();
}

const json* ConfigFields::Get(const std::string& name) {
  read_.insert(name);
  return Has(name) ? &object_[name] : nullptr;
}

void ConfigFields::Refuse(const std::string& name, absl::string_view why) {
  if (!status_.ok()) return;
  const std::string value =
      object_.is_object() && object_.contains(name) ? ShownJson(object_[name]) : "absent";
  status_ = absl::InvalidArgumentError(absl::StrCat(prefix_, name, " is ", value, ", ", why));
}

int32_t ConfigFields::Int(const std::string& name, int64_t min, int64_t max) {
  const json* const value = Get(name);
  const bool fits =
      value != nullptr && value->is_number_integer() && *value >= min && *value <= max;
  if (fits) return value->get<int32_t>();
  Refuse(name, absl::StrCat("but must be an integer from ", min, " to ", max));
  return static_cast<int32_t>(min);
}

int32_t ConfigFields::Int(const std::string& name, int64_t min, int64_t max, int32_t if_absent) {
  return Get(name) == nullptr ? if_absent : Int(name, min, max);
}

double ConfigFields::Number(const std::string& name, double min, double max) {
  const json* const value = Get(name);
  const bool fits = value != nullptr && value->is_number() && *value >= min && *value <= max;
  if (fits) return value->get<double>();
  Refuse(name, absl::StrCat("but must be a number from ", min, " to ", max));
  return min;
}

double ConfigFields::Number(const std::string& name, double min, double max, double if_absent) {
  return Get(name) == nullptr ? if_absent : Number(name, min, max);
}

bool ConfigFields::Bool(const std::string& name, bool if_absent) {
  const json* const value = Get(name);
  if (value == nullptr) return if_absent;
  if (value->is_boolean()) return value->get<bool>();
  Refuse(name, "but must be true or false");
  return if_absent;
}

std::string ConfigFields::String(const std::string& name, const std::string& if_absent) {
  const json* const value = Get(name);
  if (value == nullptr) return if_absent;
  if (value->is_string()) return value->get<std::string>();
  Refuse(name, "but must be a string");
  return if_absent;
}

const json* ConfigFields::Object(const std::string& name) {
  const json* const value = Get(name);
  if (value == nullptr || value->is_object()) return value;
  Refuse(name, "but must be an object");
  return nullptr;
}

void ConfigFields::Only(const std::string& name, const json& only, absl::string_view why) {
  const json* const value = Get(name);
  if (value == nullptr) return;
  // A whole number is written as one: 1.0 is not 1.
  const bool same = only.is_number_float() ? *value == only : value->dump() == only.dump();
  if (!same) Refuse(name, absl::StrCat("but only ", only.dump(), " is supported: ", why));
}

void ConfigFields::Ignore(const std::string& name) { read_.insert(name); }

absl::Status ConfigFields::Finish() const {
  if (!status_.ok()) return status_;
  for (const auto& [name, value] : object_.items()) {
    if (!read_.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(prefix_, Shown(name), " is ", ShownJson(value),
                       ", but no such field is known: what it asks for is not done"));
    }
  }
  return absl::OkStatus();
}

}  // namespace shoal
