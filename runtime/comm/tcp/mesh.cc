#include "runtime/comm/tcp/mesh.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/lost_rank.h"
#include "runtime/comm/tcp/connector.h"
#include "runtime/comm/tcp/faces.h"
#include "runtime/comm/tcp/group.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal {
namespace {

using internal::Connector;
using internal::Event;
using internal::Fd;
using internal::Group;
using internal::Link;

constexpr size_t kGroupKeyBytes = 32, kMaxClusterBytes = 512, kMaxLayoutBytes = 512;

absl::Status CheckSpec(const MeshSpec& spec) {
  const auto refuse = [](auto&&... parts) {
    return absl::InvalidArgumentError(absl::StrCat("mesh: ", parts...));
  };
  const int size = static_cast<int>(spec.addresses.size());
  if (spec.rank < 0 || spec.rank >= size) return refuse("rank ", spec.rank, " of ", size);
  if (spec.group_key.size() != kGroupKeyBytes) {
    return refuse("group key of ", spec.group_key.size(), " bytes, not ", kGroupKeyBytes);
  }
  if (spec.cluster.size() > kMaxClusterBytes) {
    return refuse("cluster name of ", spec.cluster.size(), " bytes, more than ", kMaxClusterBytes);
  }
  if (spec.layout.size() > kMaxLayoutBytes) {
    return refuse("layout digest of ", spec.layout.size(), " bytes, more than ", kMaxLayoutBytes);
  }
  if (spec.step_deadline <= absl::ZeroDuration()) {
    return refuse("step deadline of ", absl::FormatDuration(spec.step_deadline));
  }
  return absl::OkStatus();
}

class HeapSource final : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    auto* p = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    CHECK(p != nullptr) << "out of memory for " << bytes << " bytes";
    return p;
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

// What rank `from` sends rank `to` before the group is used: as many bytes as no other pair, each a
// function of its place, so that a stream that is shifted, mixed up or damaged shows before it
// carries activations.
std::vector<std::byte> SelfTestPattern(int from, int to) {
  std::vector<std::byte> pattern(20000 + 64 * from + to);
  uint32_t x = 0x9e3779b9u * static_cast<uint32_t>(from * 65536 + to + 1);
  for (std::byte& b : pattern) {
    x = x * 1664525u + 1013904223u;
    b = static_cast<std::byte>(x >> 24);
  }
  return pattern;
}

absl::Status SelfTest(Group& group) {
  HeapSource source;
  Arena arena(source, size_t{1} << 20);
  std::vector<std::vector<std::byte>> patterns;
  for (int r = 0; r < group.size(); ++r) patterns.push_back(SelfTestPattern(group.rank(), r));
  const std::vector<ConstBytes> to_peer(patterns.begin(), patterns.end());
  std::vector<Bytes> from_peer;
  group.BeginAllToAll(0, to_peer);
  group.EndAllToAll(0, arena, &from_peer);
  RETURN_IF_ERROR(group.status());
  for (int r = 0; r < group.size(); ++r) {
    const std::vector<std::byte> expected = SelfTestPattern(r, group.rank());
    if (ConstBytes(from_peer[r]) != ConstBytes(expected)) {
      group.Abort(LyingRankError(r, "failed the self-test exchange"));
      return group.status();
    }
  }
  return absl::OkStatus();
}

class TcpMeshListener final : public MeshListener {
 public:
  TcpMeshListener(Fd socket, std::string address)
      : socket_(std::move(socket)), address_(std::move(address)) {}

  std::string address() const override { return address_; }

  absl::StatusOr<MeshGroup> Connect(const MeshSpec& spec, absl::Time deadline) override {
    RETURN_IF_ERROR(CheckSpec(spec));
    cancel_.Clear();
    Connector connector(spec, socket_, cancel_);
    ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Link>> links, connector.Connect(deadline));
    const absl::Duration left = deadline - RealClock::Get().Now();
    auto group = std::make_shared<Group>(
        internal::GroupOptions{.rank = spec.rank,
                               .epoch = {spec.epoch_number, spec.epoch_incarnation},
                               .step_deadline = std::max(left, absl::ZeroDuration())},
        std::move(links));
    SetTesting(group);
    absl::Status tested = SelfTest(*group);
    SetTesting(nullptr);
    RETURN_IF_ERROR(Annotate(tested, "mesh: self-test"));
    group->StartService(spec.step_deadline);
    return internal::FacesOf(std::move(group));
  }

  void Cancel() override {
    cancel_.Raise();
    MutexLock lock(&mu_);
    if (testing_ != nullptr) testing_->Abort(absl::CancelledError("mesh: Connect was cancelled"));
  }

 private:
  void SetTesting(std::shared_ptr<Group> group) {
    MutexLock lock(&mu_);
    testing_ = std::move(group);
  }

  const Fd socket_;
  const std::string address_;
  Event cancel_;
  Mutex mu_;
  std::shared_ptr<Group> testing_ ABSL_GUARDED_BY(mu_);  // while Connect tests it
};

}  // namespace

absl::StatusOr<std::unique_ptr<MeshListener>> MeshListener::Bind(const std::string& address) {
  std::string bound;
  ASSIGN_OR_RETURN(Fd socket, internal::Listen(address, &bound));
  return std::make_unique<TcpMeshListener>(std::move(socket), std::move(bound));
}

}  // namespace shoal
