#include "runtime/engine/engine.h"

#include <memory>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/engine/engine_loop.h"
#include "runtime/engine/front_desk.h"
#include "runtime/engine/scheduler.h"
#include "runtime/engine/sequence.h"
#include "runtime/kv/kv_cache.h"

namespace shoal {
namespace {

// What a request may not exceed.
struct Limits {
  int vocab = 0;
  int64_t max_positions = 0;
  int64_t kv_blocks = 0;
};

absl::Status CheckIds(absl::string_view field, absl::Span<const TokenId> ids, int vocab) {
  // Which id it was is nobody's business (law 6); where it stands may help.
  const auto bad = absl::c_find_if(ids, [vocab](TokenId id) { return id < 0 || id >= vocab; });
  if (bad == ids.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, "[", bad - ids.begin(), "] is not a token of the vocabulary of ", vocab));
}

absl::Status CheckLength(const Request& request, const Limits& limits) {
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const auto emitted = static_cast<int64_t>(request.emitted.size());
  if (prompt == 0) return absl::InvalidArgumentError("prompt is empty");
  if (request.max_output_tokens <= emitted) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_output_tokens is ", request.max_output_tokens, ", it must exceed the ",
                     emitted, " tokens emitted"));
  }
  if (prompt + request.max_output_tokens > limits.max_positions) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt of ", prompt, " tokens and max_output_tokens of ", request.max_output_tokens,
        " exceed the model's ", limits.max_positions, " positions"));
  }
  const int64_t blocks = BlocksFor(Sequence::CachePositions(request));
  if (blocks > limits.kv_blocks) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt of ", prompt, " tokens and max_output_tokens of ", request.max_output_tokens,
        " need ", blocks, " KV blocks, the whole pool has ", limits.kv_blocks));
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const Request& request, const Limits& limits) {
  RETURN_IF_ERROR(CheckLength(request, limits));
  RETURN_IF_ERROR(CheckIds("prompt", request.prompt, limits.vocab));
  RETURN_IF_ERROR(CheckIds("emitted", request.emitted, limits.vocab));
  if (!request.emitted.empty() &&
      absl::c_linear_search(request.stop_tokens, request.emitted.back())) {
    return absl::InvalidArgumentError(
        "emitted ends with one of stop_tokens: the generation is over");
  }
  return Validate(request.sampling, limits.vocab);
}

class EngineImpl final : public Engine {
 public:
  EngineImpl(const EngineOptions& options, const EngineLoop::Parts& parts,
             std::unique_ptr<KvCache> cache)
      : limits_{parts.model.vocab(), parts.model.max_positions(), options.kv_blocks},
        desk_(options, parts.clock),
        loop_(options, parts, desk_, std::move(cache)),
        thread_([this] { loop_.Run(); }) {}

  ~EngineImpl() override {
    // The group first: a pass that waits for a silent peer would hold the drain up.
    desk_.Detach(absl::CancelledError("the engine ends"));
    desk_.Drain(absl::InfinitePast());
    desk_.Stop();
    thread_.join();
  }

  absl::Status Submit(Request request) override {
    RETURN_IF_ERROR(CheckRequest(request, limits_));
    return desk_.Submit(std::move(request));
  }
  void Cancel(const GenerationKey& key) override { desk_.AskCancel(key); }
  void Attach(Group group) override { desk_.Attach(std::move(group)); }
  void Detach(absl::Status why) override { desk_.Detach(why); }
  void FailAll(absl::Status error) override { desk_.AskFailAll(std::move(error)); }
  void Drain(absl::Time deadline) override { desk_.Drain(deadline); }
  EngineLoad load() const override { return desk_.load(); }
  absl::Status group_status() const override { return desk_.group_status(); }

 private:
  const Limits limits_;
  FrontDesk desk_;
  EngineLoop loop_;
  std::thread thread_;  // the last member: it uses all the others
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options,
                                                       const Model& model, Device& device,
                                                       Clock& clock, EngineMetrics& metrics,
                                                       StepSink& sink) {
  RETURN_IF_ERROR(Scheduler::Validate(
      {.max_sequences = options.max_sequences, .max_batch_tokens = options.max_batch_tokens}));
  if (options.max_waiting <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_waiting is ", options.max_waiting, ", it must be positive"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<KvCache> cache,
                   KvCache::Create(device, {.layers = model.layers(),
                                            .line = model.kv_line(),
                                            .dtype = device.ops().activation_dtype(),
                                            .blocks = options.kv_blocks}));
  const EngineLoop::Parts parts = {model, device, clock, metrics, sink};
  return std::make_unique<EngineImpl>(options, parts, std::move(cache));
}

}  // namespace shoal
