#include "runtime/comm/tcp/mesh_fixture.h"

#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "runtime/base/check.h"

namespace shoal {

MeshFixture::MeshFixture(int size) {
  for (int r = 0; r < size; ++r) {
    auto listener = MeshListener::Bind("127.0.0.1:0");
    CHECK_OK(listener);
    listeners.push_back(*std::move(listener));
  }
}

MeshSpec MeshFixture::Spec(int rank) const {
  MeshSpec spec;
  spec.cluster = "test";
  spec.epoch_number = 7;
  spec.epoch_incarnation = 0xc0ffee;
  spec.layout = "a layout";
  spec.group_key = std::string(32, 'k');
  spec.rank = rank;
  for (const auto& listener : listeners) spec.addresses.push_back(listener->address());
  return spec;
}

std::vector<ContractRank> MakeMesh(int size) {
  MeshFixture fixture(size);
  std::vector<ContractRank> ranks(size);
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      auto group = fixture.listeners[r]->Connect(fixture.Spec(r), absl::Now() + absl::Seconds(30));
      CHECK_OK(group);
      ranks[r] = {std::move(group->comm), std::move(group->agreement)};
    });
  }
  for (std::thread& t : threads) t.join();
  return ranks;
}

}  // namespace shoal
