#include "runtime/constraint/text_matcher.h"

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

#include "runtime/base/check.h"
#include "runtime/constraint/machine.h"

namespace shoal {

Match MatchOf(const Program& program, absl::string_view text) {
  const Machine machine(program);
  Configuration at = machine.Start();
  for (const char c : text) {
    at = machine.Step(at, static_cast<uint8_t>(c));
    if (!at.is_alive()) return Match::kNo;
  }
  return at.is_end ? Match::kWhole : Match::kPrefix;
}

Program Compiled(const ConstraintSpec& spec, const ConstraintLimits& limits) {
  absl::StatusOr<Program> program = CompileSpec(spec, limits);
  CHECK_OK(program.status());
  return *std::move(program);
}

std::string Refusal(const ConstraintSpec& spec, const ConstraintLimits& limits) {
  return std::string(CompileSpec(spec, limits).status().message());
}

}  // namespace shoal
