// What main() does first and last.

#ifndef SHOAL_SERVICES_COMMON_PROCESS_H_
#define SHOAL_SERVICES_COMMON_PROCESS_H_

#include <string>
#include <utility>
#include <vector>

namespace shoal {

// Blocks SIGTERM and SIGINT (so that a SignalWait gets them) and ignores SIGPIPE. Call before any
// thread starts: threads inherit the mask.
void BlockSignals();

// No core dump ever leaves this process: it would hold prompts. Call first.
void ForbidCoreDumps();

// Waits for SIGTERM or SIGINT; returns the signal. REQUIRES: BlockSignals().
int WaitForSignal();

// Prints "ready NAME=ADDRESS ..." on standard output, the only line a process prints there: whoever
// started it learns the ports that were picked.
void PrintReady(const std::vector<std::pair<std::string, std::string>>& addresses);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_PROCESS_H_
