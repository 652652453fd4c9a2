// An option that is not understood must not be dropped, as proto3 would.

#ifndef SHOAL_SERVICES_COMMON_UNKNOWN_FIELDS_H_
#define SHOAL_SERVICES_COMMON_UNKNOWN_FIELDS_H_

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace shoal {

// INVALID_ARGUMENT naming the path and number of a field that this build does not know, in
// `message` or in a message inside it.
absl::Status RefuseUnknownFields(const google::protobuf::Message& message);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_UNKNOWN_FIELDS_H_
