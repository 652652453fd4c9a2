// The model that this router serves, as far as a router knows it: text and limits, no weights.

#ifndef SHOAL_SERVICES_ROUTER_SERVED_MODEL_H_
#define SHOAL_SERVICES_ROUTER_SERVED_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shoal/v1/inference.pb.h"

#include "runtime/base/token_id.h"
#include "runtime/model/config.h"
#include "runtime/sampling/sampling_options.h"
#include "runtime/text/text_model.h"

namespace shoal {

struct ServingLimits {
  int32_t max_prompt_bytes = 1 << 20;
  int32_t max_messages = 1024;
  int32_t max_output_tokens = 0;  // 0: what the context leaves
  int32_t max_stop_token_ids = 16;
};

// Immutable once loaded, therefore thread-safe.
struct ServedModel {
  std::string name;
  TextModel text;
  DeepSeekConfig config;
  SamplingOptions default_sampling;  // of generation_config.json
  std::vector<TokenId> end_tokens;   // its eos_token_id; the first ends a chat turn
  ServingLimits limits;

  // The public description. The weight digest is the group's, empty until one has formed.
  v1::Model Describe(const std::string& weight_digest, const std::string& numerics_id) const;
};

// Reads config.json, generation_config.json and the tokenizer's files of `folder`. Errors name the
// file, and the field with the two values that disagree (token ids beyond the vocabulary, an end
// token that the two files state differently).
absl::StatusOr<ServedModel> LoadServedModel(const std::string& folder, const std::string& name,
                                            const ServingLimits& limits);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_SERVED_MODEL_H_
