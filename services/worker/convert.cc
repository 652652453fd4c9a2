#include "services/worker/convert.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {

namespace {

v1::GenerationTokens::End EndOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return v1::GenerationTokens::END_STOP;
    case FinishReason::kLength:
      return v1::GenerationTokens::END_LENGTH;
    case FinishReason::kTimeLimit:
      return v1::GenerationTokens::END_TIME_LIMIT;
    case FinishReason::kCancelled:
      return v1::GenerationTokens::END_CANCELLED;
  }
  return v1::GenerationTokens::END_ERROR;
}

void SetError(const absl::Status& error, v1::GenerationTokens* tokens) {
  tokens->set_end(v1::GenerationTokens::END_ERROR);
  tokens->set_error_code(static_cast<int32_t>(error.code()));
  tokens->set_error_message(std::string(error.message()));
}

}  // namespace

absl::StatusOr<Request> ToRequest(const v1::Submit& submit, absl::Time now) {
  if (submit.generation().empty()) return absl::InvalidArgumentError("generation is empty");
  Request request;
  request.key = {submit.generation(), submit.attempt()};
  request.prompt.assign(submit.prompt().begin(), submit.prompt().end());
  request.emitted.assign(submit.emitted().begin(), submit.emitted().end());
  request.sampling = {.temperature = submit.temperature(),
                      .top_p = submit.top_p(),
                      .top_k = submit.top_k(),
                      .min_p = submit.min_p(),
                      .seed = submit.seed()};
  request.max_output_tokens = submit.max_output_tokens();
  request.stop_tokens.assign(submit.stop_tokens().begin(), submit.stop_tokens().end());
  if (submit.deadline_millis() > 0) {
    request.deadline = now + absl::Milliseconds(submit.deadline_millis());
  }
  return request;
}

v1::GenerationTokens ToProto(const StepOutput& output) {
  v1::GenerationTokens tokens;
  tokens.set_generation(output.key.id);
  tokens.set_attempt(output.key.attempt);
  tokens.set_position(output.position);
  tokens.mutable_ids()->Assign(output.ids.begin(), output.ids.end());
  if (!output.error.ok()) {
    SetError(output.error, &tokens);
  } else if (output.finished) {
    tokens.set_end(EndOf(output.reason));
  }
  return tokens;
}

v1::GenerationTokens EndedBy(const GenerationKey& key, const absl::Status& error) {
  v1::GenerationTokens tokens;
  tokens.set_generation(key.id);
  tokens.set_attempt(key.attempt);
  SetError(error, &tokens);
  return tokens;
}

v1::Load ToProto(const EngineLoad& load, int max_waiting) {
  v1::Load proto;
  proto.set_running(load.running);
  proto.set_waiting(load.waiting);
  proto.set_max_waiting(max_waiting);
  proto.set_kv_blocks_free(load.kv_blocks_free);
  proto.set_kv_blocks_total(load.kv_blocks_total);
  return proto;
}

absl::StatusOr<ExpertPlacement> ToPlacement(const v1::Placement& placement) {
  if (placement.layers() <= 0 || placement.experts() <= 0 || placement.ranks() <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("placement of ", placement.layers(), " layers, ",
                                                   placement.experts(), " experts, ",
                                                   placement.ranks(), " ranks"));
  }
  return ExpertPlacement::FromSlots(
      placement.layers(), placement.experts(), placement.ranks(),
      std::vector<int32_t>(placement.slots().begin(), placement.slots().end()),
      placement.version());
}

}  // namespace shoal
