// The mesh beside the least that sockets can do: agreement, and the two exchanges of an MoE layer,
// among forked processes.  Both move the same bytes in the same run, turn about; what counts is the
// ratio.
//
//   mesh_benchmark [ranks ...]        4 and 16 unless told
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

#include "runtime/base/check.h"
#include "runtime/comm/tcp/mesh.h"
#include "runtime/comm/tcp/socket.h"
#include "runtime/tensor/arena.h"

namespace shoal {
namespace {

constexpr int kTurns = 21, kRoundsPerTurn = 20;

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

// One rank's part of an experiment: sends out[r] to every rank r, and puts what came from r in
// in[r].
using Buffers = std::vector<std::vector<std::byte>>;
using AllToAll = std::function<void(const Buffers& out, Buffers& in)>;

// The baseline: blocking sockets, no framing, no checks, lengths known to all.
void PlainAllToAll(const std::vector<internal::Fd>& sockets, int rank, const Buffers& out,
                   Buffers& in) {
  const int size = static_cast<int>(out.size());
  for (int i = 1; i < size; ++i) {
    const int peer = (rank + i) % size;
    const ssize_t sent =
        send(sockets[peer].get(), out[peer].data(), out[peer].size(), MSG_NOSIGNAL);
    CHECK_EQ(sent, static_cast<ssize_t>(out[peer].size()));
  }
  for (int i = 1; i < size; ++i) {
    const int peer = (rank + i) % size;
    const ssize_t got = recv(sockets[peer].get(), in[peer].data(), in[peer].size(), MSG_WAITALL);
    CHECK_EQ(got, static_cast<ssize_t>(in[peer].size()));
  }
}

Buffers Filled(int rank, int size, size_t bytes, bool incoming) {
  Buffers buffers(size);
  for (int r = 0; r < size; ++r) {
    if (r == rank) continue;
    buffers[r].resize(bytes);
    const int from = incoming ? r : rank, to = incoming ? rank : r;
    for (size_t i = 0; i < bytes; ++i)
      buffers[r][i] = static_cast<std::byte>(i * 13 + from * 31 + to);
  }
  return buffers;
}

void CheckData(const AllToAll& all_to_all, int rank, int size, size_t bytes) {
  Buffers in = Filled(rank, size, bytes, true);
  const Buffers expected = in;
  for (auto& b : in) std::fill(b.begin(), b.end(), std::byte{0});
  all_to_all(Filled(rank, size, bytes, false), in);
  CHECK(in == expected) << "rank " << rank << " received other bytes than were sent";
}

// Microseconds per round, one of each turn.
struct Timing {
  std::vector<double> wall, cpu;  // cpu: of this process
  static double At(std::vector<double>& us, double quantile) {
    std::sort(us.begin(), us.end());
    return us[static_cast<size_t>(quantile * (us.size() - 1))];
  }
};

double CpuMicroseconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e6 * t.tv_sec + 1e-3 * t.tv_nsec;
}

// Lets the two take turns, so that whatever else the machine does meets both.
void TakeTurns(const std::function<void()>& ours, const std::function<void()>& plain, Timing* mesh,
               Timing* sockets) {
  for (int turn = 0; turn < 2 * kTurns; ++turn) {
    const double cpu = CpuMicroseconds();
    const absl::Time start = absl::Now();
    for (int i = 0; i < kRoundsPerTurn; ++i) (turn % 2 == 0 ? ours : plain)();
    Timing* timing = turn % 2 == 0 ? mesh : sockets;
    timing->wall.push_back(absl::ToDoubleMicroseconds(absl::Now() - start) / kRoundsPerTurn);
    timing->cpu.push_back((CpuMicroseconds() - cpu) / kRoundsPerTurn);
  }
}

void Report(const char* what, int size, size_t bytes, Timing& ours, Timing& plain) {
  const auto line = [&](const char* clock, std::vector<double>& a, std::vector<double>& b) {
    printf(
        "%-18s %2d ranks %6zu B to each, %s: mesh %7.1f us [%.1f, %.1f], plain sockets %7.1f us "
        "[%.1f, %.1f], "
        "ratio %.2f\n",
        what, size, bytes, clock, Timing::At(a, 0.5), Timing::At(a, 0.25), Timing::At(a, 0.75),
        Timing::At(b, 0.5), Timing::At(b, 0.25), Timing::At(b, 0.75),
        Timing::At(a, 0.5) / Timing::At(b, 0.5));
  };
  line("wall", ours.wall, plain.wall);
  line("cpu ", ours.cpu, plain.cpu);
}

// Runs one experiment on this rank; rank 0 reports.
void Compare(const char* what, int rank, int size, size_t bytes, const AllToAll& ours,
             const AllToAll& plain) {
  const Buffers out = Filled(rank, size, bytes, false);
  Buffers in = out;
  Timing mesh, sockets;
  TakeTurns([&] { ours(out, in); }, [&] { plain(out, in); }, &mesh, &sockets);
  if (rank == 0) Report(what, size, bytes, mesh, sockets);
}

void RunRank(int rank, MeshListener& listener, const MeshSpec& spec,
             const std::vector<internal::Fd>& sockets) {
  const int size = static_cast<int>(spec.addresses.size());
  auto group = listener.Connect(spec, absl::Now() + absl::Seconds(30));
  CHECK_OK(group);
  const AllToAll plain = [&](const Buffers& out, Buffers& in) {
    PlainAllToAll(sockets, rank, out, in);
  };
  const AllToAll votes = [&](const Buffers& out, Buffers& in) {
    Vote mine;
    std::memcpy(&mine, out[(rank + 1) % size].data(), sizeof(mine));
    const auto all = group->agreement->Exchange(mine);
    CHECK_OK(all);
    for (int r = 0; r < size; ++r) {
      if (r != rank) std::memcpy(in[r].data(), &(*all)[r], sizeof(Vote));
    }
  };
  // A vote is the same for all peers, so its data is checked here.
  for (uint32_t round = 0; round < 5; ++round) {
    const auto all = group->agreement->Exchange({.rows = round * 100 + rank});
    CHECK_OK(all);
    for (int r = 0; r < size; ++r) CHECK_EQ((*all)[r].rows, round * 100 + r);
  }
  HeapSource source;
  Arena arena(source);
  std::vector<Bytes> from_peer;
  // Messages stay where they arrived, which is where a caller uses them; only the check copies
  // them.
  bool checking = true;
  const AllToAll mesh = [&](const Buffers& out, Buffers& in) {
    arena.Reset();
    group->comm->BeginAllToAll(0, std::vector<ConstBytes>(out.begin(), out.end()));
    group->comm->EndAllToAll(0, arena, &from_peer);
    CHECK_OK(group->comm->status());
    for (int r = 0; checking && r < size; ++r) {
      if (r != rank) std::copy(from_peer[r].begin(), from_peer[r].end(), in[r].begin());
    }
  };
  const auto twice = [](const AllToAll& f) {
    return [f](const Buffers& out, Buffers& in) {
      f(out, in);
      f(out, in);
    };
  };
  {
    const Buffers out(size, std::vector<std::byte>(sizeof(Vote), std::byte{7}));
    Buffers in = out;
    Timing ours, sockets_only;
    TakeTurns([&] { votes(out, in); }, [&] { plain(out, in); }, &ours, &sockets_only);
    if (rank == 0) Report("agreement", size, sizeof(Vote), ours, sockets_only);
  }
  for (const size_t bytes : {size_t{1024}, size_t{16384}, size_t{65536}}) {
    checking = true;
    CheckData(mesh, rank, size, bytes);
    CheckData(plain, rank, size, bytes);
    checking = false;
    Compare("dispatch + combine", rank, size, bytes, twice(mesh), twice(plain));
  }
}

// sockets[a][b] is a's end of the connection between a and b; blocking.
std::vector<std::vector<internal::Fd>> PlainMesh(int size) {
  std::vector<std::vector<internal::Fd>> sockets(size);
  for (auto& row : sockets) row.resize(size);
  std::string address;
  auto listener = internal::Listen("127.0.0.1:0", &address);
  CHECK_OK(listener);
  const auto resolved = internal::ResolveAddress(address);
  CHECK_OK(resolved);
  for (int a = 0; a < size; ++a) {
    for (int b = a + 1; b < size; ++b) {
      auto near = internal::StartConnect(*resolved);
      CHECK_OK(near);
      pollfd waiting = {listener->get(), POLLIN, 0};
      CHECK_EQ(poll(&waiting, 1, 10000), 1);
      sockets[a][b] = *std::move(near);
      sockets[b][a] = internal::Accept(*listener);
      for (const internal::Fd* fd : {&sockets[a][b], &sockets[b][a]})
        internal::SetBlocking(*fd, absl::InfiniteDuration());
    }
  }
  return sockets;
}

bool RunGroup(int size) {
  std::vector<std::vector<internal::Fd>> sockets = PlainMesh(size);
  std::vector<std::unique_ptr<MeshListener>> listeners;
  MeshSpec spec;
  spec.group_key = std::string(32, 'k');
  for (int r = 0; r < size; ++r) {
    auto listener = MeshListener::Bind("127.0.0.1:0");
    CHECK_OK(listener);
    spec.addresses.push_back((*listener)->address());
    listeners.push_back(*std::move(listener));
  }
  std::vector<pid_t> pids;
  for (int r = 0; r < size; ++r) {
    const pid_t pid = fork();
    if (pid == 0) {
      spec.rank = r;
      RunRank(r, *listeners[r], spec, sockets[r]);
      fflush(stdout);
      _exit(0);
    }
    pids.push_back(pid);
  }
  bool good = true;
  for (const pid_t pid : pids) {
    int status = 0;
    waitpid(pid, &status, 0);
    good &= status == 0;
  }
  return good;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  std::vector<int> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
  if (sizes.empty()) sizes = {4, 16};
  for (const int size : sizes) {
    if (size < 2 || size > 64) {
      fprintf(stderr, "ranks: %d is not from 2 to 64\n", size);
      return 2;
    }
    if (!shoal::RunGroup(size)) return 1;
  }
  return 0;
}
