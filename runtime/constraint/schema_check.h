#ifndef SHOAL_RUNTIME_CONSTRAINT_SCHEMA_CHECK_H_
#define SHOAL_RUNTIME_CONSTRAINT_SCHEMA_CHECK_H_

#include "nlohmann/json.hpp"

namespace shoal {

// For tests: whether `value` satisfies `schema`, by the words of JSON Schema draft
// 2020-12, for the keywords that are supported. Looks at values, knows nothing of
// how they are written; shares no code with the compiler.
bool SatisfiesSchema(const nlohmann::json& value, const nlohmann::json& schema,
                     const nlohmann::json& document);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_SCHEMA_CHECK_H_
