// What main() does first and last.

#ifndef SHOAL_SERVICES_COMMON_PROCESS_H_
#define SHOAL_SERVICES_COMMON_PROCESS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace shoal {

// Blocks SIGTERM and SIGINT (so that WaitForSignal() gets them) and ignores SIGPIPE. Call before
// any thread starts: threads inherit the mask.
void BlockSignals();

// No core dump ever leaves this process: it would hold prompts. Call first.
void ForbidCoreDumps();

// Waits for SIGTERM or SIGINT; returns the signal, or 0 when none came in time. REQUIRES:
// BlockSignals().
int WaitForSignal(absl::Duration at_most = absl::InfiniteDuration());

// Prints "ready NAME=ADDRESS ..." on standard output, the only line a process prints there: whoever
// started it learns the ports that were picked.
void PrintReady(const std::vector<std::pair<std::string, std::string>>& addresses);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_PROCESS_H_
