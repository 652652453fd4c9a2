#include "services/worker/generate_service.h"

#include <atomic>

#include "absl/strings/str_cat.h"

#include "services/worker/convert.h"

namespace shoal {

// gRPC owns the moment of its death (OnDone). One write is under way at a time; what comes
// meanwhile waits in the owner's outbox. Its lock is below the service's.
class GenerateService::Stream final
    : public grpc::ServerBidiReactor<v1::GenerateDown, v1::GenerateUp> {
 public:
  explicit Stream(GenerateService& service) : service_(service) {}

  void Begin() { StartRead(&incoming_); }

  // False when a write is under way: OnWritable comes later.
  bool Write(v1::GenerateUp message) {
    MutexLock lock(&mu_);
    if (finished_) return true;  // nobody reads it any more
    if (writing_) return false;
    outgoing_ = std::move(message);
    writing_ = true;
    StartWrite(&outgoing_);
    return true;
  }
  bool writing() const {
    MutexLock lock(&mu_);
    return writing_;
  }
  void End(const grpc::Status& status) {
    MutexLock lock(&mu_);
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      End(grpc::Status::OK);
      return;
    }
    if (const grpc::Status status = Handle(); !status.ok()) {
      End(status);
      return;
    }
    incoming_.Clear();
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
    }
    if (ok) service_.OnWritable(router_, this);
  }
  void OnDone() override {
    service_.OnEnded(router_, this);
    delete this;
  }

 private:
  grpc::Status Handle() {
    if (incoming_.has_hello() != (router_ == 0)) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "hello comes first, and once");
    }
    if (incoming_.has_hello()) {
      if (incoming_.hello().router_incarnation() == 0) {
        return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "router_incarnation is 0");
      }
      router_ = incoming_.hello().router_incarnation();
      return service_.OnHello(this, incoming_.hello());
    }
    if (incoming_.has_submit()) service_.OnSubmit(router_, incoming_.submit());
    if (incoming_.has_cancel()) service_.OnCancel(incoming_.cancel());
    return grpc::Status::OK;
  }

  GenerateService& service_;
  v1::GenerateDown incoming_;        // owned by the read that is under way
  std::atomic<uint64_t> router_{0};  // set by the first read

  mutable Mutex mu_;
  v1::GenerateUp outgoing_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

GenerateService::GenerateService(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

grpc::ServerBidiReactor<v1::GenerateDown, v1::GenerateUp>* GenerateService::Generate(
    grpc::CallbackServerContext*) {
  auto* stream = new Stream(*this);
  bool ended = false;
  {
    MutexLock lock(&mu_);
    streams_.insert(stream);
    ended = ended_;
  }
  if (ended) {
    stream->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this worker is stopping"));
  } else {
    stream->Begin();
  }
  return stream;
}

void GenerateService::SetEngine(std::shared_ptr<Engine> engine) {
  MutexLock lock(&mu_);
  engine_.swap(engine);  // the old one dies with the parameter, without the lock
}

void GenerateService::SetEpoch(const v1::Epoch& epoch) {
  MutexLock lock(&mu_);
  epoch_ = epoch;
}

std::shared_ptr<Engine> GenerateService::engine() const {
  MutexLock lock(&mu_);
  return engine_;
}

void GenerateService::EndStreams() {
  MutexLock lock(&mu_);
  ended_ = true;
  for (Stream* stream : streams_) {
    stream->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this worker is stopping"));
  }
}

// ---- generations ----

grpc::Status GenerateService::OnHello(Stream* stream, const v1::Hello& hello) {
  if (hello.cluster() != options_.cluster) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                        absl::StrCat("cluster: this worker is of ", options_.cluster,
                                     ", the router of ", hello.cluster()));
  }
  MutexLock lock(&mu_);
  Owner& owner = owners_[hello.router_incarnation()];
  if (owner.stream != nullptr) {
    owner.stream->End(grpc::Status(grpc::StatusCode::ABORTED, "the router dialled again"));
  }
  owner.stream = stream;
  owner.outbox.Clear();
  v1::GenerateUp up;
  *up.mutable_hello()->mutable_worker() = options_.worker;
  stream->Write(std::move(up));
  return grpc::Status::OK;
}

void GenerateService::OnSubmit(uint64_t router, const v1::Submit& submit) {
  const GenerationKey key{submit.generation(), submit.attempt()};
  {
    MutexLock lock(&mu_);
    if (!owner_of_.try_emplace(key, router).second) return;  // came twice: the first stands
    owners_[router].generations.insert(key);
  }
  absl::Status status;
  if (absl::StatusOr<Request> request = ToRequest(submit, clock_.Now()); !request.ok()) {
    status = request.status();
  } else if (const std::shared_ptr<Engine> engine = this->engine(); engine == nullptr) {
    status = absl::UnavailableError("this worker is in no group");
  } else {
    status = engine->Submit(*std::move(request));
  }
  if (status.ok()) return;
  MutexLock lock(&mu_);
  AddLocked(router, step_, EndedBy(key, status));
  PumpAllLocked();
}

void GenerateService::OnCancel(const v1::CancelGeneration& cancel) {
  if (const std::shared_ptr<Engine> engine = this->engine(); engine != nullptr) {
    engine->Cancel({cancel.generation(), cancel.attempt()});
  }
}

void GenerateService::OnStep(uint64_t step, std::vector<StepOutput> outputs) {
  MutexLock lock(&mu_);
  step_ = step;
  for (const StepOutput& output : outputs) {
    const auto it = owner_of_.find(output.key);
    if (it != owner_of_.end()) AddLocked(it->second, step, ToProto(output));
  }
  PumpAllLocked();  // one message per router and step
}

void GenerateService::AddLocked(uint64_t router, uint64_t step, v1::GenerationTokens tokens) {
  const auto it = owners_.find(router);
  if (it == owners_.end()) return;
  Owner& owner = it->second;
  if (tokens.end() != v1::GenerationTokens::NOT_ENDED) {
    const GenerationKey key{tokens.generation(), tokens.attempt()};
    owner.generations.erase(key);
    owner_of_.erase(key);
  }
  if (owner.stream == nullptr) return;
  owner.outbox.Add(step, std::move(tokens));
}

void GenerateService::PumpAllLocked() {
  for (auto& [router, owner] : owners_) PumpLocked(owner);
}

void GenerateService::PumpLocked(Owner& owner) {
  if (owner.stream == nullptr || owner.outbox.empty() || owner.stream->writing()) return;
  v1::GenerateUp up;
  *up.mutable_tokens() = owner.outbox.Take();
  *up.mutable_tokens()->mutable_epoch() = epoch_;
  owner.stream->Write(std::move(up));
}

void GenerateService::OnWritable(uint64_t router, Stream* stream) {
  MutexLock lock(&mu_);
  const auto it = owners_.find(router);
  if (it != owners_.end() && it->second.stream == stream) PumpLocked(it->second);
}

void GenerateService::OnEnded(uint64_t router, Stream* stream) {
  MutexLock lock(&mu_);
  streams_.erase(stream);
  const auto it = owners_.find(router);
  if (it == owners_.end() || it->second.stream != stream) return;
  it->second.stream = nullptr;
  it->second.away_since = clock_.Now();
  it->second.outbox.Clear();
}

void GenerateService::CancelOrphans() {
  std::vector<GenerationKey> orphans;
  {
    MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    for (auto it = owners_.begin(); it != owners_.end();) {
      const Owner& owner = it->second;
      if (owner.stream != nullptr || now - owner.away_since < options_.orphan_ttl) {
        ++it;
        continue;
      }
      for (const GenerationKey& key : owner.generations) {
        owner_of_.erase(key);
        orphans.push_back(key);
      }
      owners_.erase(it++);
    }
  }
  const std::shared_ptr<Engine> engine = this->engine();
  for (const GenerationKey& key : orphans) {
    if (engine != nullptr) engine->Cancel(key);
  }
}

}  // namespace shoal
