#include "runtime/engine/pass_meter.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace shoal {
namespace {

constexpr size_t Index(PassObserver::Phase phase) { return static_cast<size_t>(phase); }

}  // namespace

PassMeter::PassMeter(const Clock& clock, EngineMetrics& metrics)
    : clock_(clock), metrics_(metrics) {
  for (const auto& layer : metrics.expert_tokens) {
    expert_rows_.emplace_back(layer.size(), 0);
  }
}

void PassMeter::JoinGroup(absl::Span<const std::vector<int32_t>> slot_experts) {
  slot_experts_ = slot_experts;
  counted_ = {};
}

void PassMeter::SwitchTo(size_t phase) {
  const absl::Time now = clock_.Now();
  if (phase_ != kNone) spent_[phase_] += now - since_;
  phase_ = phase;
  since_ = now;
}

void PassMeter::BeginAgree() {
  spent_.fill(absl::ZeroDuration());
  for (auto& layer : expert_rows_) std::fill(layer.begin(), layer.end(), 0);
  phase_ = kNone;
  SwitchTo(kAgree);
}

void PassMeter::BeginPass() { SwitchTo(kNone); }

void PassMeter::OnPhase(Phase phase) { SwitchTo(Index(phase)); }

void PassMeter::OnExperts(int layer, absl::Span<const int32_t> slot_rows) {
  if (slot_experts_.empty()) return;
  const std::vector<int32_t>& experts = slot_experts_.at(layer);
  CHECK_EQ(slot_rows.size(), experts.size());
  for (size_t slot = 0; slot < experts.size(); ++slot) {
    expert_rows_.at(layer).at(experts[slot]) += slot_rows[slot];
  }
}

void PassMeter::BeginSample() { SwitchTo(kSample); }

void PassMeter::Commit(int64_t rows) {
  SwitchTo(kNone);
  const auto seconds = [&](size_t phase) { return absl::ToDoubleSeconds(spent_[phase]); };
  metrics_.step_agree.Observe(seconds(kAgree));
  metrics_.step_attend.Observe(seconds(Index(Phase::kAttend)));
  metrics_.step_dispatch.Observe(seconds(Index(Phase::kDispatch)));
  metrics_.step_experts.Observe(seconds(Index(Phase::kExperts)));
  metrics_.step_combine.Observe(seconds(Index(Phase::kCombine)));
  metrics_.step_head.Observe(seconds(Index(Phase::kHead)));
  metrics_.step_sample.Observe(seconds(kSample));
  metrics_.exchange_seconds_dispatch.Increment(seconds(Index(Phase::kDispatch)));
  metrics_.exchange_seconds_combine.Increment(seconds(Index(Phase::kCombine)));
  metrics_.steps.Increment();
  metrics_.batch_tokens.Observe(static_cast<double>(rows));
  for (size_t layer = 0; layer < expert_rows_.size(); ++layer) {
    for (size_t expert = 0; expert < expert_rows_[layer].size(); ++expert) {
      const int64_t n = expert_rows_[layer][expert];
      if (n == 0) continue;
      metrics_.expert_tokens[layer][expert]->Increment(static_cast<double>(n));
    }
  }
}

void PassMeter::CountTraffic(const Communicator::Traffic& traffic) {
  metrics_.exchange_bytes_sent.Increment(
      static_cast<double>(traffic.bytes_sent - counted_.bytes_sent));
  metrics_.exchange_bytes_received.Increment(
      static_cast<double>(traffic.bytes_received - counted_.bytes_received));
  counted_ = traffic;
}

}  // namespace shoal
