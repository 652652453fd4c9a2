#ifndef SHOAL_RUNTIME_ENGINE_TESTING_TEST_CLUSTER_H_
#define SHOAL_RUNTIME_ENGINE_TESTING_TEST_CLUSTER_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/comm/loopback/loopback.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/testing/fake_model.h"
#include "runtime/engine/testing/stream_checker.h"
#include "runtime/metrics/engine_metrics.h"

namespace shoal {

// One engine with a fake model and all that it borrows.
struct TestRank {
  explicit TestRank(const EngineOptions& options = {}, Clock& clock = RealClock::Get())
      : metrics(registry, FakeModel::kLayers, 1), device(MakeFakeDevice(&fail_next_finish)) {
    auto created = Engine::Create(options, model, *device, clock, metrics, sink);
    CHECK_OK(created);
    engine = *std::move(created);
  }

  // Submits and expects the stream.
  absl::Status Submit(Request request) {
    sink.Expect(request);
    return engine->Submit(std::move(request));
  }

  prometheus::Registry registry;
  EngineMetrics metrics;
  std::atomic<bool> fail_next_finish = false;
  FakeModel model;
  std::unique_ptr<Device> device;
  StreamChecker sink;
  std::unique_ptr<Engine> engine;
};

// A group of loopback ranks, each with a fake exchange.
inline std::vector<Group> MakeTestGroups(int size, uint64_t epoch_number = 1) {
  std::vector<Group> groups;
  for (LoopbackRank& rank : LoopbackGroup(size)) {
    Group& group = groups.emplace_back();
    group.epoch_number = epoch_number;
    group.comm = std::move(rank.comm);
    group.agreement = std::move(rank.agreement);
    group.exchange = MakeFakeExchange(*group.comm);
    group.slot_experts.assign(FakeModel::kLayers, {0});
  }
  return groups;
}

inline void AttachAll(const std::vector<std::unique_ptr<TestRank>>& ranks) {
  std::vector<Group> groups = MakeTestGroups(static_cast<int>(ranks.size()));
  for (size_t r = 0; r < ranks.size(); ++r) ranks[r]->engine->Attach(std::move(groups[r]));
}

inline void DetachAll(const std::vector<std::unique_ptr<TestRank>>& ranks) {
  for (const auto& rank : ranks) rank->engine->Detach(absl::AbortedError("a new epoch"));
}

// A request whose prompt depends on `seed` alone.
inline Request MakeTestRequest(int seed, int prompt, int max_output) {
  Request request;
  request.key = {absl::StrCat("generation-", seed), 0};
  for (int i = 0; i < prompt; ++i) request.prompt.push_back((seed * 31 + i * i * 7 + i) % 100);
  request.max_output_tokens = max_output;
  request.sampling.seed = static_cast<uint64_t>(seed);
  request.sampling.temperature = seed % 2 == 0 ? 0.0f : 1.0f;
  return request;
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_TESTING_TEST_CLUSTER_H_
