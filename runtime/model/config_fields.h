#ifndef SHOAL_RUNTIME_MODEL_CONFIG_FIELDS_H_
#define SHOAL_RUNTIME_MODEL_CONFIG_FIELDS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace shoal {

// Reads a JSON object field by field and remembers which it was asked for, so that what nobody read
// can be refused. The first error sticks; after it, reads return a harmless default.
class ConfigFields {
 public:
  // `object` outlives this.  `prefix` stands before field names in errors ("rope_scaling.").
  ConfigFields(const nlohmann::json& object, std::string prefix);

  // A present, non-null field.
  bool Has(const std::string& name) const;

  int32_t Int(const std::string& name, int64_t min, int64_t max);
  int32_t Int(const std::string& name, int64_t min, int64_t max, int32_t if_absent);
  double Number(const std::string& name, double min, double max);
  double Number(const std::string& name, double min, double max, double if_absent);
  bool Bool(const std::string& name, bool if_absent);
  std::string String(const std::string& name, const std::string& if_absent);
  const nlohmann::json* Object(const std::string& name);  // null when absent or null

  // The field may be absent or null, but if it stands there it is `only`: we implement nothing
  // else.
  void Only(const std::string& name, const nlohmann::json& only, absl::string_view why);
  // The field has no effect here, whatever it says.
  void Ignore(const std::string& name);

  // Records "PREFIXname is VALUE, WHY" unless there is an error already.
  void Refuse(const std::string& name, absl::string_view why);

  // Records an error of a nested object unless there is one already.
  void Fail(const absl::Status& status) { status_.Update(status); }

  // The first error; if there is none, an error for the first field that was never asked for.
  absl::Status Finish() const;
  bool ok() const { return status_.ok(); }

 private:
  const nlohmann::json* Get(const std::string& name);
  const nlohmann::json& object_;
  const std::string prefix_;
  std::set<std::string> read_;
  absl::Status status_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_CONFIG_FIELDS_H_
