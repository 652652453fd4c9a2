#include "tests/sim/sim_rank.h"

#include <utility>

#include "prometheus/registry.h"

#include "runtime/base/check.h"
#include "runtime/metrics/engine_metrics.h"
#include "services/router/cluster/protocol.h"
#include "services/worker/convert.h"

namespace shoal {

namespace {

constexpr absl::Duration kConnectDeadline = absl::Milliseconds(400);
constexpr absl::Duration kPoll = absl::Milliseconds(5);

// Nobody reads them; one set serves all.
EngineMetrics& Metrics() {
  static auto* const registry = new prometheus::Registry;
  static auto* const metrics = new EngineMetrics(*registry, FakeModel::kLayers, 1);
  return *metrics;
}

// Says who takes part in a collective.
class WitnessedAgreement final : public Agreement {
 public:
  WitnessedAgreement(std::unique_ptr<Agreement> inner, std::shared_ptr<SimMesh::Point> group,
                     const v1::Prepare& prepare, SimHistory& history)
      : inner_(std::move(inner)),
        group_(std::move(group)),
        epoch_(EpochText(prepare.epoch())),
        layout_(prepare.layout()),
        history_(history) {}
  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine) override {
    history_.InCollective(group_.get(), epoch_, layout_);
    return inner_->Exchange(mine);
  }
  absl::Status Sleep() override { return inner_->Sleep(); }
  void Wake() override { inner_->Wake(); }
  void Abort(absl::Status why) override { inner_->Abort(std::move(why)); }
  absl::Status status() const override { return inner_->status(); }

 private:
  const std::unique_ptr<Agreement> inner_;
  const std::shared_ptr<SimMesh::Point> group_;
  const std::string epoch_, layout_;
  SimHistory& history_;
};

}  // namespace

SimRank::SimRank(SimRankOptions options, Fibers& fibers, const FiberClock& clock, SimMesh& mesh,
                 SimHistory& history)
    : options_(std::move(options)),
      fibers_(fibers),
      clock_(clock),
      mesh_(mesh),
      history_(history),
      member_(options_.identity),
      device_(MakeSimDevice(queue_, &fail_next_finish_)),
      model_(queue_) {
  queue_.finish_returns_early = options_.finish_returns_early;
  model_.on_forward = [this] { fibers_.SleepUntil(clock_.Now() + options_.delay(3000)); };
  static FiberClock engine_clock;
  auto engine =
      Engine::Create({.max_sequences = 4, .max_waiting = 8, .max_batch_tokens = 16, .kv_blocks = 3},
                     model_, *device_, engine_clock, Metrics(), *this);
  CHECK_OK(engine);
  engine_ = *std::move(engine);
  fibers_.Spawn([this] { RunRank(); });
}

void SimRank::Do(Member::Actions actions) {
  if (dead_) return;
  for (MemberAction& action : actions) {
    if (auto* build = std::get_if<BuildGroup>(&action)) {
      Put([this, prepare = build->prepare, number = ++build_] { Build(prepare, number); });
    } else if (std::holds_alternative<StopBuild>(action)) {
      ++build_;
      Put([this] { built_.reset(); });
    } else if (auto* attach = std::get_if<AttachGroup>(&action)) {
      Put([this, epoch = attach->epoch] { Attach(epoch); });
    } else if (auto* leave = std::get_if<LeaveGroup>(&action)) {
      Put([this, why = leave->why] { Leave(why); });
    }
  }
  options_.act(std::move(actions));
}

void SimRank::Look() {
  if (dead_ || !member_.live()) return;
  const absl::Status status = engine_->group_status();
  if (!status.ok()) Do(member_.OnGroupBroken(status));
}

EngineReport SimRank::report() const {
  const EngineLoad load = engine_->load();
  return {.load = ToProto(load, 8), .passes = load.steps};
}

void SimRank::Kill() {
  if (std::exchange(dead_, true)) return;
  ++build_;
  Put(nullptr);
}

void SimRank::OnStep(uint64_t, std::vector<StepOutput> outputs) {
  if (!dead_) options_.on_step(std::move(outputs));
}

// ---- the rank thread ----

void SimRank::Put(std::function<void()> work) {
  MutexLock lock(&mu_);
  work_.push_back(std::move(work));
  changed_.Signal();
}

void SimRank::RunRank() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      while (work_.empty()) changed_.Wait(&mu_);
      work = std::move(work_.front());
      work_.pop_front();
    }
    if (work == nullptr) break;
    if (!dead_) work();
  }
  built_.reset();
  engine_.reset();
}

void SimRank::Build(const v1::Prepare& prepare, int build) {
  fibers_.SleepUntil(clock_.Now() + options_.delay(20'000));
  const absl::Status status = build == build_ ? Meet(prepare, build) : absl::CancelledError("stop");
  options_.post([this, epoch = prepare.epoch(), status] {
    if (!dead_) Do(member_.OnBuilt(epoch, status));
  });
}

absl::Status SimRank::Meet(const v1::Prepare& prepare, int build) {
  auto& place = mesh_.points[EpochText(prepare.epoch())];
  if (place == nullptr) {
    place = std::make_shared<SimMesh::Point>();
    place->faces = LoopbackGroup(prepare.members_size());
  }
  const std::shared_ptr<SimMesh::Point> point = place;
  LoopbackRank face = std::move(point->faces.at(prepare.rank()));
  if (face.comm == nullptr) return absl::UnavailableError("the rank is taken");
  ++point->arrived;
  const absl::Time deadline = clock_.Now() + kConnectDeadline;
  while (point->arrived < prepare.members_size()) {
    if (build != build_ || clock_.Now() >= deadline) return absl::UnavailableError("no mesh");
    fibers_.SleepUntil(clock_.Now() + kPoll);
  }
  Group& group = built_.emplace();
  built_epoch_ = prepare.epoch();
  group.epoch_number = prepare.epoch().number();
  group.comm = std::move(face.comm);
  group.agreement =
      std::make_unique<WitnessedAgreement>(std::move(face.agreement), point, prepare, history_);
  group.exchange = MakeFakeExchange(*group.comm);
  group.slot_experts.assign(FakeModel::kLayers, {0});
  return absl::OkStatus();
}

void SimRank::Attach(const v1::Epoch& epoch) {
  if (!built_ || built_epoch_ != epoch) return;
  engine_->Attach(std::move(*built_));
  built_.reset();
  options_.post([this, epoch] {
    if (!dead_) Do(member_.OnAttached(epoch));
  });
}

void SimRank::Leave(const absl::Status& why) {
  engine_->Detach(why);
  engine_->FailAll(why);
}

}  // namespace shoal
