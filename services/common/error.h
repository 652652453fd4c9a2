// Errors as clients see them: a canonical code, a message, and google.rpc details. Below the edge
// an error is an absl::Status whose payloads are those details; ToGrpc() is the only place that
// turns one into a grpc::Status.

#ifndef SHOAL_SERVICES_COMMON_ERROR_H_
#define SHOAL_SERVICES_COMMON_ERROR_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal {

// INVALID_ARGUMENT with a BadRequest.FieldViolation. `description` names the two values that
// disagree, never a byte of a prompt.
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// UNAVAILABLE or RESOURCE_EXHAUSTED with RetryInfo: the same request may succeed after `delay`.
absl::Status RetryLater(absl::StatusCode code, absl::string_view reason, absl::Duration delay,
                        absl::string_view message);

// `status` with an ErrorInfo whose machine-readable reason is `reason` ("MODEL_NOT_FOUND"), domain
// "shoal".
absl::Status WithReason(absl::Status status, absl::string_view reason);

// The reason of the status's ErrorInfo; empty where it has none.
std::string ReasonOf(const absl::Status& status);

// Details are carried over; an error without an ErrorInfo gets one named after its code.
grpc::Status ToGrpc(const absl::Status& status);

// The reverse, details included. Details that cannot be parsed are dropped: they came from a peer.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_ERROR_H_
