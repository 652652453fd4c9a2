#include "services/worker/model_rank.h"

#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "runtime/base/mutex.h"
#include "runtime/base/queue.h"
#include "runtime/base/status_macros.h"
#include "runtime/model/deepseek_load.h"
#include "runtime/moe/exchange.h"
#include "runtime/moe/placement.h"
#include "services/router/cluster/protocol.h"
#include "services/worker/convert.h"

namespace shoal {

namespace {

constexpr size_t kMaxJobs = 4096;
// The router gives an epoch up long before; then StopBuild() cancels.
constexpr absl::Duration kConnectDeadline = absl::Hours(1);
constexpr absl::Duration kProgressEvery = absl::Milliseconds(200);
constexpr absl::Duration kCancelAgain = absl::Milliseconds(100);

// One share in memory and the engine over it. The order of the members is the order in which they
// need each other.
struct Loaded {
  int rank = -1;
  std::string placement_digest;
  ExpertPlacement placement;
  std::unique_ptr<LoadedModel> model;
  std::unique_ptr<Engine> engine;
};

class ModelRank final : public Rank {
 public:
  ModelRank(ModelRankOptions options, const ModelRankSurroundings& around, RankListener& listener)
      : options_(std::move(options)), around_(around), listener_(listener) {
    thread_ = std::thread([this] { Run(); });
  }
  ~ModelRank() override {
    StopBuild();
    jobs_.Close();
    {
      MutexLock lock(&mu_);
      while (!ended_) {  // a Cancel that came between two steps of a build was not heard
        if (around_.clock.WaitUntil(&end_, &mu_, around_.clock.Now() + kCancelAgain)) {
          around_.mesh.Cancel();
        }
      }
    }
    thread_.join();
    around_.tokens.SetEngine(nullptr);
  }

  void Build(const v1::Prepare& prepare) override {
    {
      MutexLock lock(&mu_);
      wanted_ = prepare.epoch();
    }
    Do([this, prepare] { BuildNow(prepare); });
  }
  void StopBuild() override {
    {
      MutexLock lock(&mu_);
      wanted_.Clear();
    }
    around_.mesh.Cancel();
    Do([this] { built_.reset(); });
  }
  void Attach(const v1::Epoch& epoch) override {
    Do([this, epoch] { AttachNow(epoch); });
  }
  void Leave(const absl::Status& why) override {
    Do([this, why] { LeaveNow(why); });
  }

  EngineReport report() const override;
  absl::Status group_status() const override;
  void Drain(absl::Time deadline) override {
    if (const auto loaded = this->loaded()) loaded->engine->Drain(deadline);
  }

 private:
  struct Built {
    v1::Epoch epoch;
    Group group;
  };

  void Do(std::function<void()> job) {
    const absl::Status full = jobs_.TryPush(std::move(job));
    if (absl::IsResourceExhausted(full)) around_.log.Error("rank", {{"error", full}});
  }
  void Run();
  void BuildNow(const v1::Prepare& prepare);
  absl::Status Load(const v1::Prepare& prepare);
  absl::StatusOr<Built> Connect(const v1::Prepare& prepare);
  void AttachNow(const v1::Epoch& epoch);
  void LeaveNow(const absl::Status& why);
  void Unload();
  bool Wanted(const v1::Epoch& epoch) const {
    MutexLock lock(&mu_);
    return wanted_ == epoch;
  }
  void TellProgress(int64_t done, int64_t total, absl::Time* told);
  void SetAttached(bool attached) {
    MutexLock lock(&mu_);
    attached_ = attached;
  }
  std::shared_ptr<Loaded> loaded() const {
    MutexLock lock(&mu_);
    return loaded_;
  }

  const ModelRankOptions options_;
  const ModelRankSurroundings around_;
  RankListener& listener_;
  Queue<std::function<void()>> jobs_{kMaxJobs};
  std::thread thread_;

  std::optional<Built> built_;  // the rank thread's

  mutable Mutex mu_;
  v1::Epoch wanted_ ABSL_GUARDED_BY(mu_);  // what is to be built
  v1::Epoch building_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Loaded> loaded_ ABSL_GUARDED_BY(mu_);
  bool attached_ ABSL_GUARDED_BY(mu_) = false;
  CondVar end_;  // the thread is about to return
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

void ModelRank::Run() {
  while (true) {
    absl::StatusOr<std::function<void()>> job = jobs_.Pop(absl::InfiniteFuture());
    if (!job.ok()) break;
    (*job)();
  }
  built_.reset();
  Unload();
  MutexLock lock(&mu_);
  ended_ = true;
  end_.Signal();
}

EngineReport ModelRank::report() const {
  EngineReport report;
  if (const auto loaded = this->loaded()) {
    const EngineLoad load = loaded->engine->load();
    report.load = ToProto(load, options_.engine.max_waiting);
    report.passes = load.steps;
  }
  // A StopBuild that came between two steps of a build is heard late, not never.
  bool late = false;
  {
    MutexLock lock(&mu_);
    late = building_.number() > 0 && building_ != wanted_;
  }
  if (late) around_.mesh.Cancel();
  return report;
}

absl::Status ModelRank::group_status() const {
  std::shared_ptr<Loaded> loaded;
  {
    MutexLock lock(&mu_);
    if (!attached_) return absl::OkStatus();  // what the engine says is of an earlier group
    loaded = loaded_;
  }
  return loaded == nullptr ? absl::OkStatus() : loaded->engine->group_status();
}

// ---- on the rank's thread ----

void ModelRank::BuildNow(const v1::Prepare& prepare) {
  const v1::Epoch& epoch = prepare.epoch();
  if (!Wanted(epoch)) return;
  built_.reset();
  if (const absl::Status loaded = Load(prepare); !loaded.ok()) {
    if (jobs_.closed()) return;
    around_.log.Error("cannot load weights", {{"error", loaded}});
    listener_.OnLoadFailed(loaded);
    return;
  }
  if (!Wanted(epoch)) return;
  {
    MutexLock lock(&mu_);
    building_ = epoch;
  }
  absl::StatusOr<Built> built = Connect(prepare);
  {
    MutexLock lock(&mu_);
    building_.Clear();
  }
  if (!Wanted(epoch)) return;
  if (built.ok()) built_ = *std::move(built);
  listener_.OnBuilt(epoch, built.status());
}

absl::Status ModelRank::Load(const v1::Prepare& prepare) {
  const std::string digest = PlacementDigest(prepare.placement());
  if (const auto have = loaded()) {
    if (have->rank == prepare.rank() && have->placement_digest == digest) {
      around_.log.Info("weights kept", {{"rank", have->rank}});
      return absl::OkStatus();
    }
  }
  Unload();
  ASSIGN_OR_RETURN(ExpertPlacement placement, ToPlacement(prepare.placement()));
  around_.log.Info("loading weights", {{"rank", prepare.rank()}, {"of", placement.ranks()}});
  const absl::Time begin = around_.clock.Now();
  absl::Time told = absl::InfinitePast();
  LoadOptions load;
  load.progress = [&](int64_t done, int64_t total) {
    TellProgress(done, total, &told);
    return !jobs_.closed();  // the worker is ending: nobody waits for the share
  };
  auto share = std::make_shared<Loaded>(
      Loaded{prepare.rank(), digest, std::move(placement), nullptr, nullptr});
  ASSIGN_OR_RETURN(share->model, LoadDeepSeek(options_.config, options_.model_folder,
                                              share->placement, share->rank, around_.device, load));
  ASSIGN_OR_RETURN(share->engine,
                   Engine::Create(options_.engine, *share->model, around_.device, around_.clock,
                                  around_.engine_metrics, around_.tokens));
  const int64_t bytes = share->model->weight_bytes_read();
  around_.log.Info(
      "weights loaded",
      {{"rank", share->rank}, {"bytes", bytes}, {"took", around_.clock.Now() - begin}});
  listener_.OnShareLoaded({share->rank, digest, share->model->weights_digest(), bytes});
  around_.tokens.SetEngine(std::shared_ptr<Engine>(share, share->engine.get()));
  MutexLock lock(&mu_);
  loaded_ = std::move(share);
  return absl::OkStatus();
}

void ModelRank::TellProgress(int64_t done, int64_t total, absl::Time* told) {
  const absl::Time now = around_.clock.Now();
  if (done < total && now - *told < kProgressEvery) return;
  *told = now;
  around_.process_metrics.weights_load_progress.Set(
      total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1);
  listener_.OnLoadProgress(done, total);
}

void ModelRank::Unload() {
  std::shared_ptr<Loaded> old;
  {
    MutexLock lock(&mu_);
    old.swap(loaded_);
  }
  around_.tokens.SetEngine(nullptr);
}

absl::StatusOr<ModelRank::Built> ModelRank::Connect(const v1::Prepare& prepare) {
  const auto share = loaded();
  if (prepare.members_size() != share->placement.ranks()) {
    return absl::FailedPreconditionError(absl::StrCat("prepare has ", prepare.members_size(),
                                                      " members, its placement ",
                                                      share->placement.ranks(), " ranks"));
  }
  MeshSpec spec;
  spec.cluster = options_.cluster;
  spec.epoch_number = prepare.epoch().number();
  spec.epoch_incarnation = prepare.epoch().incarnation();
  spec.layout = prepare.layout();
  spec.group_key = prepare.group_key();
  spec.rank = prepare.rank();
  for (const v1::Member& m : prepare.members()) spec.addresses.push_back(m.mesh_address());
  spec.step_deadline = absl::Milliseconds(prepare.step_deadline_millis());
  ASSIGN_OR_RETURN(MeshGroup mesh,
                   around_.mesh.Connect(spec, around_.clock.Now() + kConnectDeadline));
  Built built;
  built.epoch = prepare.epoch();
  built.group.epoch_number = prepare.epoch().number();
  built.group.comm = std::move(mesh.comm);
  built.group.agreement = std::move(mesh.agreement);
  built.group.exchange = NewHostExchange(*built.group.comm, share->placement,
                                         {.hidden = options_.config.hidden,
                                          .top_k = options_.config.gate.top_k,
                                          .act = around_.device.ops().activation_dtype()});
  built.group.placement_version = share->placement.version();
  for (int layer = 0; layer < share->placement.layers(); ++layer) {
    const auto experts = share->placement.ExpertsOf(layer, share->rank);
    built.group.slot_experts.emplace_back(experts.begin(), experts.end());
  }
  return built;
}

void ModelRank::AttachNow(const v1::Epoch& epoch) {
  if (!built_ || built_->epoch != epoch) return;  // given up meanwhile
  around_.tokens.SetEpoch(epoch);
  loaded()->engine->Attach(std::move(built_->group));
  built_.reset();
  SetAttached(true);
  listener_.OnAttached(epoch);
  around_.log.Info("serving", {{"epoch", EpochText(epoch)}});
}

void ModelRank::LeaveNow(const absl::Status& why) {
  const auto share = loaded();
  if (share == nullptr) return;
  SetAttached(false);
  share->engine->Detach(why);
  share->engine->FailAll(why);
  around_.log.Warning("left the group", {{"why", why.message()}});
}

}  // namespace

std::unique_ptr<Rank> NewModelRank(ModelRankOptions options, const ModelRankSurroundings& around,
                                   RankListener& listener) {
  return std::make_unique<ModelRank>(std::move(options), around, listener);
}

}  // namespace shoal
