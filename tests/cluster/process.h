// One process of a cluster under test.

#ifndef SHOAL_TESTS_CLUSTER_PROCESS_H_
#define SHOAL_TESTS_CLUSTER_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace shoal {

// Its `ready` line comes through a pipe, its log goes into a file. Dies with its parent; the
// destructor kills what still runs. One thread.
class Process {
 public:
  // `log` is appended to.
  Process(std::vector<std::string> command, std::string log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Waits for the `ready` line; UNAVAILABLE with the log's end when the process ended without.
  absl::Status WaitReady(absl::Duration at_most);
  // The address that the ready line gives `name`.
  std::string address(const std::string& name) const { return addresses_.at(name); }

  void Signal(int number);
  // Its exit code, 128 + the signal that ended it, or nothing when it runs on.
  std::optional<int> WaitExit(absl::Duration at_most);
  bool running();

  double CpuSeconds() const;  // user and system, of all its threads
  std::string Log() const;
  // Whether the log holds `text` within the time.
  bool WaitLog(const std::string& text, absl::Duration at_most);
  int CountInLog(const std::string& text) const;

 private:
  const std::string log_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int ready_fd_ = -1;
  std::string ready_line_;
  std::map<std::string, std::string> addresses_;
  std::optional<int> exit_code_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_CLUSTER_PROCESS_H_
