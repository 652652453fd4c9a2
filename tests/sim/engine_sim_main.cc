// One seed of the simulation again, in words.

#include <cstdio>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"

#include "tests/sim/engine_sim.h"

ABSL_FLAG(uint64_t, seed, 1, "the history to show");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  shoal::EngineSimOptions options = shoal::SimCase(absl::GetFlag(FLAGS_seed));
  options.keep_words = true;
  const shoal::EngineSimResult result = shoal::EngineSim(options).Run();
  for (const std::string& line : result.words) std::printf("%s\n", line.c_str());
  std::printf("history %016llx: %s\n", static_cast<unsigned long long>(result.digest),
              result.violation.empty() ? "all invariants hold" : result.violation.c_str());
  return result.violation.empty() ? 0 : 1;
}
