#include "services/common/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal {
namespace {

sigset_t TerminationSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = TerminationSignals();
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
  signal(SIGPIPE, SIG_IGN);
}

void ForbidCoreDumps() {
  const rlimit none = {0, 0};
  CHECK_EQ(setrlimit(RLIMIT_CORE, &none), 0);
  // Also keeps other processes of the same user from reading this one's memory.
  CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
}

int WaitForSignal(absl::Duration at_most) {
  const sigset_t set = TerminationSignals();
  if (at_most == absl::InfiniteDuration()) {
    int signal_number = 0;
    CHECK_EQ(sigwait(&set, &signal_number), 0);
    return signal_number;
  }
  const timespec wait = absl::ToTimespec(at_most);
  const int signal_number = sigtimedwait(&set, nullptr, &wait);
  return signal_number < 0 ? 0 : signal_number;
}

void PrintReady(const std::vector<std::pair<std::string, std::string>>& addresses) {
  std::string line = "ready";
  for (const auto& [name, address] : addresses) absl::StrAppend(&line, " ", name, "=", address);
  line += "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

}  // namespace shoal
