#include "tests/shapes/process_group.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"
#include "runtime/comm/loopback/loopback.h"
#include "runtime/comm/tcp/mesh.h"

namespace shoal {
namespace {

// Between the parent and a rank, as bytes: both are the same program.
struct Command {
  Workload workload;
  int32_t steps = 0;  // 0: end
};
struct Reply {
  double wall = 0, agreement = 0;
  StepCost cost;
  int32_t sequences = 0;  // so many SequenceDigests follow
};
struct SequenceDigest {
  int32_t sequence = 0;
  Sha256Digest sha256 = {};
};

template <typename T>
void Put(int fd, const T& value) {
  CHECK_EQ(write(fd, &value, sizeof(value)), static_cast<ssize_t>(sizeof(value)));
}

template <typename T>
T Get(int fd) {
  T value;
  size_t got = 0;
  while (got < sizeof(value)) {
    const ssize_t n = read(fd, reinterpret_cast<char*>(&value) + got, sizeof(value) - got);
    CHECK_GT(n, 0) << "a process of the benchmark is gone";
    got += static_cast<size_t>(n);
  }
  return value;
}

int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  int64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// The two faces of a group, whichever makes them.
struct Faces {
  std::unique_ptr<Communicator> comm;
  std::unique_ptr<Agreement> agreement;
};

Faces Connect(MeshListener* listener, const MeshSpec& spec) {
  if (listener == nullptr) {
    std::vector<LoopbackRank> alone = LoopbackGroup(1);
    return {std::move(alone[0].comm), std::move(alone[0].agreement)};
  }
  auto group = listener->Connect(spec, absl::Now() + absl::Minutes(5));
  CHECK_OK(group);
  return {std::move(group->comm), std::move(group->agreement)};
}

Reply RunSteps(ShapeRank& rank, const Command& command, Faces& faces) {
  CHECK_OK(rank.Prepare(command.workload, *faces.comm));
  Reply reply;
  StepCost warm;
  CHECK_OK(rank.Step(&warm));
  CHECK_OK(faces.agreement->Exchange({}).status());
  const absl::Time start = absl::Now();
  for (int i = 0; i < command.steps; ++i) {
    const double before = ThreadSeconds();
    CHECK_OK(faces.agreement->Exchange({.rows = 1}).status());
    reply.agreement += (ThreadSeconds() - before) / command.steps;
    CHECK_OK(rank.Step(&reply.cost));
  }
  CHECK_OK(faces.agreement->Exchange({}).status());  // the slowest has done its last step
  reply.wall = absl::ToDoubleSeconds(absl::Now() - start) / command.steps;
  reply.cost.cpu /= command.steps;
  reply.cost.routed /= command.steps;
  reply.cost.exchange /= command.steps;
  return reply;
}

void ServeRank(ShapeRank& rank, Faces faces, int commands, int replies) {
  Put(replies, ResidentBytes());
  for (Command command = Get<Command>(commands); command.steps > 0;
       command = Get<Command>(commands)) {
    Reply reply = RunSteps(rank, command, faces);
    const auto logits = rank.Logits();
    reply.sequences = static_cast<int32_t>(logits.size());
    Put(replies, reply);
    for (const auto& [sequence, values] : logits) {
      const absl::string_view bytes(reinterpret_cast<const char*>(values.data()),
                                    values.size() * sizeof(float));
      Put(replies, SequenceDigest{sequence, Sha256Of(bytes)});
    }
  }
}

}  // namespace

ProcessGroup::ProcessGroup(const std::string& folder, int ranks, int threads_each)
    : children_(static_cast<size_t>(ranks)) {
  std::vector<std::unique_ptr<MeshListener>> listeners(static_cast<size_t>(ranks));
  MeshSpec spec;
  spec.group_key = std::string(32, 'k');
  spec.step_deadline = absl::Minutes(5);  // for the machine may be busy
  for (int r = 0; ranks > 1 && r < ranks; ++r) {
    auto listener = MeshListener::Bind("127.0.0.1:0");
    CHECK_OK(listener);
    spec.addresses.push_back((*listener)->address());
    listeners[r] = *std::move(listener);
  }
  for (int r = 0; r < ranks; ++r) {
    std::array<int, 2> down, up;
    CHECK_EQ(pipe(down.data()), 0);
    CHECK_EQ(pipe(up.data()), 0);
    children_[r] = {fork(), down[1], up[0]};
    CHECK_GE(children_[r].pid, 0);
    if (children_[r].pid == 0) {
      // Of the pipes only its own ends: a parent that dies must be an end of file.
      for (int c = 0; c <= r; ++c) close(children_[c].commands), close(children_[c].replies);
      auto rank = ShapeRank::Load(folder, ranks, r, threads_each);
      CHECK_OK(rank);
      spec.rank = r;
      ServeRank(**rank, Connect(listeners[r].get(), spec), down[0], up[1]);
      _exit(0);
    }
    close(down[0]);
    close(up[1]);
  }
}

ProcessGroup::~ProcessGroup() {
  for (const Child& child : children_) {
    Put(child.commands, Command{});
    close(child.commands);
    close(child.replies);
    int status = 0;
    CHECK_EQ(waitpid(child.pid, &status, 0), child.pid);
    CHECK_EQ(status, 0);
  }
}

int64_t ProcessGroup::WaitLoaded() {
  int64_t bytes = 0;
  for (const Child& child : children_) bytes += Get<int64_t>(child.replies);
  return bytes;
}

GroupStep ProcessGroup::Run(const Workload& workload, int steps) {
  GroupStep step;
  for (const Child& child : children_) Put(child.commands, Command{workload, steps});
  for (size_t r = 0; r < children_.size(); ++r) {
    const int from = children_[r].replies;
    const Reply reply = Get<Reply>(from);
    if (r == 0) step.wall = reply.wall;
    step.cost += reply.cost;
    step.agreement += reply.agreement;
    for (int i = 0; i < reply.sequences; ++i) {
      const auto digest = Get<SequenceDigest>(from);
      step.digests[digest.sequence] = HexOf(digest.sha256);
    }
  }
  return step;
}

}  // namespace shoal
