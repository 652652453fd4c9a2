#include "tests/sim/engine_sim.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "services/worker/convert.h"
#include "tests/sim/sim_identity.h"

namespace shoal {

namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(100), kLease = absl::Milliseconds(500);
constexpr absl::Duration kLook = absl::Milliseconds(50);

MembershipOptions OptionsOf(uint64_t incarnation, int group_size) {
  MembershipOptions options = SimMembershipOptions(incarnation, group_size);
  options.beat = kBeat;
  options.lease = kLease;
  options.step_deadline = absl::Seconds(2);
  options.prepare_timeout = absl::Seconds(1);
  options.retry = absl::Milliseconds(20);
  return options;
}

}  // namespace

EngineSimOptions SimCase(uint64_t seed) {
  EngineSimOptions options;
  options.seed = seed;
  options.group_size = seed % 3 == 0 ? 3 : 2;  // with 2 there is a spare
  options.router.repeat_tokens = seed % 2 == 0;
  return options;
}

EngineSim::EngineSim(const EngineSimOptions& options)
    : options_(options),
      random_(options.seed),
      fibers_([this](const std::vector<int>& able, bool) { return random_() % able.size(); },
              /*preempt=*/false),
      history_(options.keep_words),
      workers_(options.workers) {}

EngineSimResult EngineSim::Run() {
  fibers_.Spawn([this] { Live(); });
  if (!fibers_.Run()) history_.Violate("a thread waits for ever");
  result_.violation = history_.violation();
  result_.digest = history_.digest();
  result_.words = history_.words();
  result_.asked = history_.asked();
  result_.finished = history_.finished();
  result_.failed = history_.failed();
  result_.tokens = history_.tokens();
  result_.switches = fibers_.switches();
  return result_;
}

void EngineSim::Live() {
  StartRouter();
  for (int w = 0; w < options_.workers; ++w) {
    StartWorker(w);
    Beat(w);
  }
  for (int i = 0; i < options_.generations; ++i) {
    After(absl::Milliseconds(100) + Delay(absl::ToInt64Microseconds(options_.chaos)),
          [this] { Ask(); });
  }
  After(absl::Milliseconds(150) + Delay(500'000), [this] { Fault(); });
  const absl::Time calm = clock_.Now() + options_.chaos;
  RunEvents(calm);
  faults_on_ = false;
  const absl::Time end = calm + options_.calm;
  while (!AtRest() && clock_.Now() < end && history_.violation().empty()) {
    RunEvents(clock_.Now() + absl::Milliseconds(100));
  }
  if (!AtRest()) {
    history_.Violate(absl::StrCat("M7: not at rest after ", absl::FormatDuration(options_.calm),
                                  " without faults: ", router_->membership().WaitingFor()));
  }
  router_->Drain();
  history_.CheckAllEnded();
  CheckPools();
  result_.groups += router_->groups();
  for (Worker& worker : workers_) worker.rank->Kill();
}

// ---- time and the network ----

void EngineSim::After(absl::Duration delay, std::function<void()> event) {
  MutexLock lock(&mu_);
  events_.emplace(clock_.Now() + delay, std::move(event));
  changed_.Signal();
}

void EngineSim::RunEvents(absl::Time until) {
  while (history_.violation().empty()) {
    std::function<void()> event;
    {
      MutexLock lock(&mu_);
      const absl::Time next = events_.empty() ? until : std::min(until, events_.begin()->first);
      if (clock_.Now() < next) {
        clock_.WaitUntil(&changed_, &mu_, next);
        continue;
      }
      if (events_.empty() || events_.begin()->first > until) return;
      event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
    }
    event();
  }
}

void EngineSim::Travel(const std::shared_ptr<SimStream>& stream, std::function<void()> arrive) {
  const bool late = faults_on_ && Below(50) == 0;
  stream->last = std::max(stream->last, clock_.Now() + Delay(late ? 200'000 : 1'000));
  After(stream->last - clock_.Now(), [stream, arrive = std::move(arrive)] {
    if (stream->open) arrive();
  });
}

void EngineSim::Connect(int w) {
  Worker& worker = workers_[w];
  if (worker.join != nullptr || worker.rank->dead()) return;
  worker.join = std::make_shared<SimStream>();
  worker.connection = next_connection_++;
  worker.rank->Do(worker.rank->member().OnConnected());
}

void EngineSim::Disconnect(int w) {
  Worker& worker = workers_[w];
  if (worker.join == nullptr) return;
  worker.join->open = false;
  worker.join = nullptr;
  After(Delay(20'000), [this, router = router_.get(), connection = worker.connection] {
    if (router != router_.get()) return;
    router_->Do(router_->membership().OnClosed(connection, "stream broke", clock_.Now()));
  });
  if (!worker.rank->dead()) worker.rank->Do(worker.rank->member().OnDisconnected());
  After(absl::Milliseconds(10) + Delay(50'000), [this, w] { Connect(w); });
}

void EngineSim::ToWorker(ConnectionId join, v1::RouterMessage message) {
  for (int w = 0; w < options_.workers; ++w) {
    if (workers_[w].join == nullptr || workers_[w].connection != join) continue;
    Travel(workers_[w].join, [this, w, message = std::move(message)] {
      SimRank& rank = *workers_[w].rank;
      rank.member().Observe(rank.report());
      rank.Do(rank.member().OnMessage(message, clock_.Now()));
    });
    return;
  }
}

void EngineSim::CloseJoin(ConnectionId join) {
  for (int w = 0; w < options_.workers; ++w) {
    if (workers_[w].join == nullptr || workers_[w].connection != join) continue;
    Travel(workers_[w].join, [this, w, join] {
      if (workers_[w].connection == join) Disconnect(w);
    });
  }
}

void EngineSim::SubmitTo(const std::shared_ptr<SimStream>& data, ConnectionId join,
                         const v1::Submit& submit) {
  Travel(data, [this, data, join, submit] {
    Worker* const worker = WorkerAt(join);
    if (worker == nullptr) return;
    const GenerationKey key{submit.generation(), submit.attempt()};
    const auto request = ToRequest(submit, clock_.Now());
    CHECK_OK(request);
    // Before the engine has it: its first token may come at once.
    streams_of_[key] = {data, join};
    const absl::Status status = worker->rank->engine().Submit(*request);
    if (status.ok()) return;
    streams_of_.erase(key);
    v1::Tokens tokens;
    *tokens.add_generations() = EndedBy(key, status);
    Travel(data, [this, data, join, tokens] { router_->OnTokens(data, join, tokens); });
  });
}

void EngineSim::CancelAt(const std::shared_ptr<SimStream>& data, ConnectionId join,
                         const std::string& generation, uint32_t attempt) {
  Travel(data, [this, join, key = GenerationKey{generation, attempt}] {
    if (Worker* const worker = WorkerAt(join)) worker->rank->engine().Cancel(key);
  });
}

EngineSim::Worker* EngineSim::WorkerAt(ConnectionId join) {
  for (Worker& worker : workers_) {
    if (worker.connection == join && !worker.rank->dead()) return &worker;
  }
  return nullptr;
}

void EngineSim::OnStep(const std::vector<StepOutput>& outputs) {
  std::map<ConnectionId, std::pair<std::shared_ptr<SimStream>, v1::Tokens>> by_stream;
  for (const StepOutput& output : outputs) {
    const auto it = streams_of_.find(output.key);
    if (it == streams_of_.end()) continue;
    auto& [stream, tokens] = by_stream[it->second.second];
    stream = it->second.first;
    *tokens.add_generations() = ToProto(output);
    if (output.finished || !output.error.ok()) streams_of_.erase(it);
  }
  for (auto& [join, word] : by_stream) {
    const auto deliver = [this, data = word.first, join = join, tokens = word.second] {
      router_->OnTokens(data, join, tokens);
    };
    Travel(word.first, deliver);
    if (faults_on_ && options_.router.repeat_tokens && Below(40) == 0) Travel(word.first, deliver);
  }
}

// ---- processes ----

void EngineSim::StartWorker(int w) {
  Disconnect(w);
  Worker& worker = workers_[w];
  if (worker.rank != nullptr) {
    worker.rank->Kill();
    dead_.push_back(std::move(worker.rank));
  }
  SimRankOptions options;
  options.identity = SimJoin(w, next_incarnation_++);
  options.finish_returns_early = options_.finish_returns_early;
  options.delay = [this](int64_t micros) { return Delay(micros); };
  options.post = [this](std::function<void()> event) { Post(std::move(event)); };
  options.act = [this, w](Member::Actions actions) { OnActions(w, std::move(actions)); };
  options.on_step = [this](std::vector<StepOutput> outputs) { OnStep(outputs); };
  worker.rank = std::make_unique<SimRank>(std::move(options), fibers_, clock_, mesh_, history_);
  history_.Note(absl::StrCat("w", w, " starts"), clock_.Now());
  After(Delay(50'000), [this, w] { Connect(w); });
}

void EngineSim::StartRouter() {
  if (router_ != nullptr) {
    router_->Drain();
    history_.RouterDied(clock_.Now());
    result_.groups += router_->groups();
    dead_routers_.push_back(std::move(router_));
  }
  SimNetwork& network = *this;
  router_ = std::make_unique<SimRouter>(OptionsOf(random_(), options_.group_size), options_.router,
                                        network, clock_, history_);
  for (int w = 0; w < options_.workers; ++w) {
    if (workers_[w].rank != nullptr) Disconnect(w);
  }
  Tick(router_.get());
}

void EngineSim::Tick(SimRouter* router) {
  if (router != router_.get()) return;
  router_->Do(router_->membership().Tick(clock_.Now()));
  After(kBeat, [this, router] { Tick(router); });
}

void EngineSim::OnActions(int w, Member::Actions actions) {
  Worker& worker = workers_[w];
  for (MemberAction& action : actions) {
    if (auto* send = std::get_if<SendToRouter>(&action)) {
      if (worker.join == nullptr) continue;
      Travel(worker.join, [this, router = router_.get(), connection = worker.connection,
                           message = std::move(send->message)] {
        if (router != router_.get()) return;
        router_->Do(router_->membership().OnMessage(connection, message, clock_.Now()));
      });
    } else if (std::holds_alternative<StopWorker>(action)) {
      After(absl::Milliseconds(10), [this, w, rank = worker.rank.get()] {
        if (workers_[w].rank.get() == rank) StartWorker(w);
      });
    }
  }
}

void EngineSim::Beat(int w) {
  SimRank& rank = *workers_[w].rank;
  rank.Do(rank.member().Tick(rank.report()));
  rank.Look();
  After(kLook, [this, w] { workers_[w].rank->Look(); });
  After(kBeat, [this, w] { Beat(w); });
}

// ---- what clients do, and what goes wrong ----

void EngineSim::Ask() {
  const int n = next_generation_++;
  GenerationSpec spec;
  spec.generation_id = absl::StrCat("g", n);
  spec.request_id = absl::StrCat("request-", n);
  spec.method = "Generate";
  spec.model = "m";
  spec.arrival = clock_.Now();
  Request request;
  request.key = {spec.generation_id, 1};
  for (int i = 1 + Below(30); i > 0; --i) request.prompt.push_back(5 + Below(90));
  request.max_output_tokens = 1 + Below(10);
  request.sampling.seed = random_() % 1000;
  request.sampling.temperature = Below(2) == 0 ? 0.0f : 1.0f;
  if (Below(3) == 0) request.stop_tokens = {5 + Below(90), 5 + Below(90), 5 + Below(90)};
  spec.submit.mutable_prompt()->Assign(request.prompt.begin(), request.prompt.end());
  spec.submit.mutable_stop_tokens()->Assign(request.stop_tokens.begin(), request.stop_tokens.end());
  spec.submit.set_max_output_tokens(request.max_output_tokens);
  spec.submit.set_temperature(request.sampling.temperature);
  spec.submit.set_top_p(request.sampling.top_p);
  spec.submit.set_top_k(request.sampling.top_k);
  spec.submit.set_min_p(request.sampling.min_p);
  spec.submit.set_seed(request.sampling.seed);
  const std::string id = spec.generation_id;
  router_->Start(std::move(spec), request);
  const int then = Below(10);
  if (then > 1) return;
  After(Delay(60'000), [this, id, router = router_.get(), then] {
    if (router != router_.get()) return;
    if (then == 0) router_->table().CancelGeneration(id);
    if (then == 1) router_->table().Abandon(id);
    router_->Drain();
  });
}

void EngineSim::Fault() {
  if (!faults_on_) return;
  ++result_.faults;
  const int what = Below(20), w = Below(options_.workers);
  if (what < 5) {
    StartWorker(w);
  } else if (what < 8) {
    Disconnect(w);
  } else if (what < 12) {
    router_->BreakData(workers_[w].connection, "a data stream broke");
  } else if (what < 17) {
    workers_[w].rank->FailNextPass();
  } else if (what < 18) {
    StartRouter();
  } else {
    workers_[w].rank->Do(workers_[w].rank->member().Leave(absl::Seconds(1)));
    After(absl::Seconds(1), [this, w, rank = workers_[w].rank.get()] {
      if (workers_[w].rank.get() == rank) StartWorker(w);
    });
  }
  After(Delay(700'000), [this] { Fault(); });
}

bool EngineSim::AtRest() const {
  if (!router_->membership().serving() || router_->membership().draining()) return false;
  if (!router_->open().empty() || router_->table().open() > 0) return false;
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
    const EngineLoad load = worker.rank->engine().load();
    return load.running == 0 && load.waiting == 0;
  });
}

// KV conservation.
void EngineSim::CheckPools() {
  for (int w = 0; w < options_.workers; ++w) {
    const EngineLoad load = workers_[w].rank->engine().load();
    result_.passes += load.steps;
    if (load.kv_blocks_free == load.kv_blocks_total) continue;
    history_.Violate(absl::StrCat("KV: w", w, " has ", load.kv_blocks_free, " of ",
                                  load.kv_blocks_total, " blocks free and nothing running"));
  }
}

}  // namespace shoal
