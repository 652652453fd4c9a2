// Strict textproto configuration: an unknown field, a duplicate or a bad value is an error that
// names file and line.

#ifndef SHOAL_SERVICES_COMMON_CONFIG_FILE_H_
#define SHOAL_SERVICES_COMMON_CONFIG_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace shoal {

// Replaces *config by the file's content. NOT_FOUND or INVALID_ARGUMENT.
absl::Status ReadConfigFile(const std::string& path, google::protobuf::Message* config);

// The same for text; `origin` stands in errors for the file's name.
absl::Status ParseConfig(absl::string_view text, absl::string_view origin,
                         google::protobuf::Message* config);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_CONFIG_FILE_H_
