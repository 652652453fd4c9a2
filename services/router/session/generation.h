// One generation: its journal, and the way from token ids to its client's events.

#ifndef SHOAL_SERVICES_ROUTER_SESSION_GENERATION_H_
#define SHOAL_SERVICES_ROUTER_SESSION_GENERATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/inference.pb.h"
#include "shoal/v1/worker.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/base/token_id.h"
#include "runtime/metrics/router_metrics.h"
#include "services/router/session/outbox.h"
#include "services/router/session/output_text.h"

namespace shoal {

// What is asked for, validated: everything a rank needs, and what the client wants to hear again.
struct GenerationSpec {
  std::string generation_id;  // unique in the cluster
  std::string request_id;     // the client's, or made for it
  std::string method;         // "Chat", "Generate", "ChatComplete": a label
  std::string model;
  v1::Submit submit;       // prompt and options; generation and attempt are set by Generation
  TokenId end_token = -1;  // the model's: it stops and is not shown
  absl::Time deadline = absl::InfiniteFuture();
  absl::Time arrival;
};

// The invariants (stream law): positions continue without gap or repetition whatever arrives;
// exactly one terminal reaches the outbox; usage equals what was sent; nothing is pushed after the
// terminal. Tokens of another attempt than the current one are nobody's (rule R4).
//
// Thread-safe.
class Generation {
 public:
  Generation(GenerationSpec spec, OutputText text, std::shared_ptr<Outbox> outbox,
             const Clock& clock, RouterMetrics& metrics);

  const std::string& id() const { return spec_.generation_id; }
  const std::string& request_id() const { return spec_.request_id; }
  absl::Time arrival() const { return spec_.arrival; }

  // The journal as a rank takes it: prompt, what was emitted, options, the time that is left.
  v1::Submit NextSubmit(int32_t rank);
  int32_t rank() const;  // -1: none has been asked yet
  uint32_t attempt() const;
  bool has_first_token() const;

  // Whether the generation has ended, now or before.
  bool OnTokens(const v1::GenerationTokens& tokens);
  // Ends it with a typed error to the client, unless it has ended.
  void Fail(absl::Status why);
  // Ends it without a word: whoever started it is told otherwise. False when it had ended already,
  // so that the outbox has heard why.
  bool Discard();

  // Its rank is to be told to end it. Remembered, because the rank may not have it yet.
  void RequestCancel();
  // A rank that has it must be told to end it.
  bool unwanted() const;

 private:
  using Events = std::vector<v1::GenerateEvent>;

  bool PushLocked(Events events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AppendLocked(TokenId id, Events* events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishLocked(const v1::GenerationTokens& tokens) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(absl::Status status, v1::FinishReason reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MeasureLocked(int64_t tokens) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::GenerateEvent StartedEvent() const;
  v1::GenerateEvent FinishEventLocked(v1::FinishReason reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const GenerationSpec spec_;
  const std::shared_ptr<Outbox> outbox_;
  const Clock& clock_;
  RouterMetrics& metrics_;

  mutable Mutex mu_;
  OutputText text_ ABSL_GUARDED_BY(mu_);
  std::vector<TokenId> emitted_ ABSL_GUARDED_BY(mu_);  // the journal's growing part
  uint32_t attempt_ ABSL_GUARDED_BY(mu_) = 0;          // 1 is the first
  int32_t rank_ ABSL_GUARDED_BY(mu_) = -1;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool cancel_requested_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time first_token_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  absl::Time last_token_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_SESSION_GENERATION_H_
