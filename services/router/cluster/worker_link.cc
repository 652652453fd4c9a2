#include "services/router/cluster/worker_link.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "services/common/channel.h"
#include "services/common/error.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {
constexpr size_t kMaxWaiting = 8192;  // messages
}  // namespace

// One dial: a stream and what waits to be written to it. A hold keeps OnDone away while writes may
// still be started from outside; the end of reading takes it off.
class WorkerLink::Call final : public grpc::ClientBidiReactor<v1::GenerateDown, v1::GenerateUp> {
 public:
  explicit Call(WorkerLink& link) : link_(link) {}

  void Begin(v1::Worker::Stub& stub, const Target& target) {
    v1::GenerateDown hello;
    hello.mutable_hello()->set_cluster(target.cluster);
    hello.mutable_hello()->set_router_incarnation(target.router_incarnation);
    stub.async()->Generate(&context_, this);
    AddHold();
    StartRead(&incoming_);
    CHECK_OK(Put(std::move(hello)));
    StartCall();
  }

  absl::Status Put(v1::GenerateDown message) {
    MutexLock lock(&mu_);
    if (ended_) return absl::UnavailableError("the data stream has ended");
    if (outbox_.size() >= kMaxWaiting) {
      return absl::ResourceExhaustedError(
          absl::StrCat(kMaxWaiting, " messages wait for this rank"));
    }
    outbox_.push_back(std::move(message));
    Pump();
    return absl::OkStatus();
  }

  void Hangup() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (ok) {
      if (incoming_.has_hello()) link_.OnUp(incoming_.hello());
      if (incoming_.has_tokens()) link_.OnTokens(incoming_.tokens());
      incoming_.Clear();
      StartRead(&incoming_);
      return;
    }
    {
      MutexLock lock(&mu_);
      ended_ = true;
    }
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    if (ok) Pump();  // if not, the read ends too
  }

  void OnDone(const grpc::Status& status) override { link_.OnCallDone(FromGrpc(status)); }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || ended_ || outbox_.empty()) return;
    outgoing_ = std::move(outbox_.front());
    outbox_.pop_front();
    writing_ = true;
    StartWrite(&outgoing_);
  }

  WorkerLink& link_;
  grpc::ClientContext context_;
  v1::GenerateUp incoming_;

  Mutex mu_;
  std::deque<v1::GenerateDown> outbox_ ABSL_GUARDED_BY(mu_);
  v1::GenerateDown outgoing_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

WorkerLink::WorkerLink(Target target, LinkHandler& handler, BackendListener& listener)
    : target_(std::move(target)),
      handler_(handler),
      listener_(listener),
      stub_(v1::Worker::NewStub(DialChannel(target_.address))) {}

WorkerLink::~WorkerLink() {
  MutexLock lock(&mu_);
  if (call_ != nullptr) call_->Hangup();
  while (call_ != nullptr) ended_.Wait(&mu_);
}

void WorkerLink::Dial() {
  MutexLock lock(&mu_);
  while (call_ != nullptr) ended_.Wait(&mu_);  // OnCallDone is about to return
  CHECK(state_ == State::kDown);
  state_ = State::kDialling;
  call_ = std::make_unique<Call>(*this);
  call_->Begin(*stub_, target_);
}

bool WorkerLink::up() const {
  MutexLock lock(&mu_);
  return state_ == State::kUp;
}

void WorkerLink::BeginEpoch(int32_t rank) {
  MutexLock lock(&mu_);
  fence_.Clear();
  rank_ = rank;
}

void WorkerLink::EndEpoch(const absl::Status& why) {
  Lose(why);
  MutexLock lock(&mu_);
  rank_ = -1;
}

void WorkerLink::Lose(const absl::Status& why) {
  MutexLock deliver(&deliver_mu_);
  int32_t rank = -1;
  {
    MutexLock lock(&mu_);
    fence_.Clear();
    rank = rank_;
  }
  if (rank >= 0) listener_.OnRankLost(rank, why);
}

absl::Status WorkerLink::Submit(const v1::Submit& submit) {
  MutexLock lock(&mu_);
  if (state_ != State::kUp) {
    return absl::UnavailableError(absl::StrCat("rank ", rank_, " has no data stream"));
  }
  v1::GenerateDown down;
  *down.mutable_submit() = submit;
  RETURN_IF_ERROR(call_->Put(std::move(down)));
  fence_.Add(submit.generation(), submit.attempt(),
             int64_t{submit.prompt_size()} + submit.emitted_size());
  return absl::OkStatus();
}

// The fence stays: the word that ends the generation is yet to come.
void WorkerLink::Cancel(absl::string_view generation, uint32_t attempt) {
  v1::GenerateDown down;
  down.mutable_cancel()->set_generation(std::string(generation));
  down.mutable_cancel()->set_attempt(attempt);
  MutexLock lock(&mu_);
  if (state_ == State::kUp) call_->Put(std::move(down)).IgnoreError();  // its end is on the way
}

void WorkerLink::OnUp(const v1::HelloAck& ack) {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kDialling) return;
    if (!(ack.worker() == target_.worker)) {  // the port is another process's by now
      call_->Hangup();
      return;
    }
    state_ = State::kUp;
  }
  handler_.OnLinkUp(target_.id);
}

void WorkerLink::FilterLocked(const v1::Tokens& tokens, v1::Tokens* kept) {
  kept->set_step(tokens.step());
  *kept->mutable_epoch() = tokens.epoch();
  for (const v1::GenerationTokens& word : tokens.generations()) {
    const auto verdict = fence_.Accept(word);
    if (verdict == AttemptFence::Verdict::kCurrent) {
      *kept->add_generations() = word;
      continue;
    }
    if (verdict == AttemptFence::Verdict::kRepeated) {
      call_->Hangup();  // it lies: nothing from it can be trusted
    } else if (word.end() == v1::GenerationTokens::NOT_ENDED) {
      v1::GenerateDown down;
      down.mutable_cancel()->set_generation(word.generation());
      down.mutable_cancel()->set_attempt(word.attempt());
      call_->Put(std::move(down)).IgnoreError();
    }
  }
}

void WorkerLink::OnTokens(const v1::Tokens& tokens) {
  MutexLock deliver(&deliver_mu_);
  int32_t rank = -1;
  v1::Tokens kept;
  {
    MutexLock lock(&mu_);
    rank = rank_;
    FilterLocked(tokens, &kept);
  }
  if (rank >= 0 && kept.generations_size() > 0) listener_.OnTokens(rank, kept);
}

// Tells first: when the call is gone, so may be the link. The call itself is destroyed by the next
// dial or the destructor, not here in its own reaction.
void WorkerLink::OnCallDone(const absl::Status& status) {
  handler_.OnLinkDown(target_.id, status.ok()
                                      ? absl::UnavailableError("the worker ended its data stream")
                                      : status);
  MutexLock lock(&mu_);
  state_ = State::kDown;
  fence_.Clear();
  last_call_ = std::move(call_);
  ended_.SignalAll();
}

}  // namespace shoal
