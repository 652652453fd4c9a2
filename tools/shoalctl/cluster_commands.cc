#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "services/common/error.h"
#include "tools/shoalctl/command.h"

namespace shoal {
namespace {

void PrintRank(const v1::RankState& rank) {
  const v1::Load& load = rank.load();
  std::printf("%4d  %-20s %-10s %3.0f%%  running %d  waiting %d  kv %ld/%ld free\n", rank.rank(),
              rank.worker().name().c_str(), v1::WorkerState_Name(rank.state()).c_str(),
              rank.load_progress() * 100, load.running(), load.waiting(),
              static_cast<long>(load.kv_blocks_free()), static_cast<long>(load.kv_blocks_total()));
}

}  // namespace

absl::Status Status(v1::Cluster::StubInterface& control) {
  grpc::ClientContext context;
  v1::ClusterState state;
  const grpc::Status status = control.Get(&context, {}, &state);
  if (!status.ok()) return FromGrpc(status);
  std::printf("epoch %lu, %s%s\n", static_cast<unsigned long>(state.epoch().number()),
              state.serving() ? "serving" : "not serving: ", state.waiting_for().c_str());
  std::sort(state.mutable_ranks()->begin(), state.mutable_ranks()->end(),
            [](const v1::RankState& a, const v1::RankState& b) { return a.rank() < b.rank(); });
  for (const v1::RankState& rank : state.ranks()) PrintRank(rank);
  return absl::OkStatus();
}

absl::Status Wait(v1::Cluster::StubInterface& control, absl::Duration at_most) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(at_most));
  const auto watch = control.Watch(&context, {});
  v1::ClusterState state;
  std::string told;
  while (watch->Read(&state)) {
    if (state.serving()) {
      context.TryCancel();
      return absl::OkStatus();
    }
    if (state.waiting_for() == told) continue;
    told = state.waiting_for();
    std::fprintf(stderr, "  waiting for: %s\n", told.c_str());
  }
  return FromGrpc(watch->Finish());
}

}  // namespace shoal
