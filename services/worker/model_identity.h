// What a worker's model is, told by digests before a byte of weights is read.

#ifndef SHOAL_SERVICES_WORKER_MODEL_IDENTITY_H_
#define SHOAL_SERVICES_WORKER_MODEL_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/model/config.h"

namespace shoal {

struct ModelIdentity {
  DeepSeekConfig config;
  std::string config_digest;
  std::string tokenizer_digest;  // SHA-256 of tokenizer.json
  // SHA-256 over every tensor's name, dtype, shape and, where the checkpoint carries it, the digest
  // of its data.
  std::string weight_digest;
  std::string numerics_id;  // of the device's arithmetic and the rotation table (rule N11)
};

// Reads config.json, tokenizer.json and the checkpoint's headers. Errors name the file and the
// values. `device_numerics` is the arithmetic's id.
absl::StatusOr<ModelIdentity> ReadModelIdentity(const std::string& folder,
                                                absl::string_view device_numerics);

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_MODEL_IDENTITY_H_
