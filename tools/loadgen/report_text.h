// A report for people and for programs.

#ifndef SHOAL_TOOLS_LOADGEN_REPORT_TEXT_H_
#define SHOAL_TOOLS_LOADGEN_REPORT_TEXT_H_

#include <string>
#include <utility>
#include <vector>

#include "tools/loadgen/machine.h"
#include "tools/loadgen/report.h"
#include "tools/loadgen/workload.h"

namespace shoal::loadgen {

// What a reader must know to run it again.
struct RunDescription {
  std::vector<std::pair<std::string, std::string>> options;  // every flag and its value
  WorkloadSpec workload;
  std::string workload_digest;
  v1::Model model;
  Machine machine;
  double generator_cpu_seconds = 0;  // what the run cost its own process, on the same machine maybe
};

// Some 20 lines; milliseconds.
std::string TableOf(const RunDescription& run, const Report& report);

// One object; its "schema" is kReportSchema, and README.md describes its fields. Seconds.
inline constexpr char kReportSchema[] = "shoal.loadgen.v1";
std::string JsonOf(const RunDescription& run, const Report& report);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_REPORT_TEXT_H_
