// Requests of the public API, validated and turned into what a rank takes.

#ifndef SHOAL_SERVICES_ROUTER_FRONTDOOR_REQUEST_H_
#define SHOAL_SERVICES_ROUTER_FRONTDOOR_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/v1/inference.pb.h"

#include "runtime/text/chat_template.h"
#include "services/router/served_model.h"
#include "services/router/session/generation.h"

namespace shoal {

// A prompt as ids, and how its output is to be read.
struct Prompt {
  std::vector<TokenId> ids;
  bool chat = false;
  bool opens_reasoning = false;
};

// NOT_FOUND unless `name` is empty or the served model's.
absl::Status CheckModel(const ServedModel& model, const std::string& name);

// INVALID_ARGUMENT when `text` is larger than a prompt may be.
absl::Status CheckTextSize(const ServedModel& model, const std::string& text);

// The conversation as the chat template writes it. INVALID_ARGUMENT names the field; no byte of
// content is repeated.
absl::StatusOr<RenderedPrompt> Render(const ServedModel& model, const v1::ChatRequest& request);

absl::StatusOr<Prompt> PromptOf(const ServedModel& model, const v1::ChatRequest& request);
absl::StatusOr<Prompt> PromptOf(const ServedModel& model, const v1::GenerateRequest& request);

// Sampling and stops over the model's defaults. `seed` is used where the request has none.
// INVALID_ARGUMENT also where prompt and output do not fit the context, with the numbers.
absl::StatusOr<v1::Submit> SubmitOf(const ServedModel& model, const Prompt& prompt,
                                    const v1::SamplingOptions& sampling,
                                    const v1::StopOptions& stop, uint64_t seed);

// An id of at most 128 bytes of [A-Za-z0-9._-].
absl::Status CheckRequestId(const std::string& id);

// KV blocks that a generation can come to hold.
int64_t KvBlocksFor(const v1::Submit& submit);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FRONTDOOR_REQUEST_H_
