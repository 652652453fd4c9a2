#include "tests/cluster/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "runtime/base/check.h"

namespace shoal {

namespace {

constexpr absl::Duration kLogLook = absl::Milliseconds(20);

int Millis(absl::Duration d) { return static_cast<int>(absl::ToInt64Milliseconds(d)) + 1; }

// Waits until `fd` is readable.
bool WaitReadable(int fd, absl::Duration at_most) {
  pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, Millis(std::max(at_most, absl::ZeroDuration()))) > 0;
}

}  // namespace

Process::Process(std::vector<std::string> command, std::string log) : log_(std::move(log)) {
  int pipe_fds[2];
  CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int log_fd = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  CHECK_GE(log_fd, 0) << log_;
  pid_ = fork();
  CHECK_GE(pid_, 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipe_fds[1], STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(pipe_fds[1]);
  close(log_fd);
  ready_fd_ = pipe_fds[0];
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CHECK_GE(pidfd_, 0);
}

Process::~Process() {
  Signal(SIGKILL);
  WaitExit(absl::Seconds(10));
  close(pidfd_);
  close(ready_fd_);
}

absl::Status Process::WaitReady(absl::Duration at_most) {
  const absl::Time deadline = absl::Now() + at_most;
  while (ready_line_.find('\n') == std::string::npos) {
    if (!WaitReadable(ready_fd_, deadline - absl::Now())) {
      return absl::DeadlineExceededError(absl::StrCat("not ready: ", Log()));
    }
    char bytes[512];
    const ssize_t n = read(ready_fd_, bytes, sizeof(bytes));
    if (n <= 0) return absl::UnavailableError(absl::StrCat("ended before it was ready: ", Log()));
    ready_line_.append(bytes, n);
  }
  for (absl::string_view word : absl::StrSplit(ready_line_, absl::ByAnyChar(" \n"))) {
    const std::pair<std::string, std::string> field = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (!field.second.empty()) addresses_.insert(field);
  }
  return absl::OkStatus();
}

void Process::Signal(int number) {
  if (running()) kill(pid_, number);
}

std::optional<int> Process::WaitExit(absl::Duration at_most) {
  if (exit_code_) return exit_code_;
  if (!WaitReadable(pidfd_, at_most)) return std::nullopt;
  int status = 0;
  CHECK_EQ(waitpid(pid_, &status, 0), pid_);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

bool Process::running() { return !WaitExit(absl::ZeroDuration()).has_value(); }

double Process::CpuSeconds() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // Fields are counted after the name in parentheses; utime and stime are the 14th and 15th.
  const std::vector<std::string> fields =
      absl::StrSplit(text.substr(text.rfind(')') + 2), ' ', absl::SkipEmpty());
  return (std::stod(fields.at(11)) + std::stod(fields.at(12))) / sysconf(_SC_CLK_TCK);
}

std::string Process::Log() const {
  std::ifstream file(log_);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool Process::WaitLog(const std::string& text, absl::Duration at_most) {
  const absl::Time deadline = absl::Now() + at_most;
  while (Log().find(text) == std::string::npos) {
    if (absl::Now() > deadline) return false;
    // Waits for its end meanwhile: a dead process writes nothing more.
    if (WaitExit(kLogLook)) return Log().find(text) != std::string::npos;
  }
  return true;
}

int Process::CountInLog(const std::string& text) const {
  const std::string log = Log();
  int count = 0;
  for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
  return count;
}

}  // namespace shoal
