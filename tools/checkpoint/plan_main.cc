// Which part of a checkpoint every rank of a group would read and hold, from config.json alone:
// "does it fit my machines?" before any is bought.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "runtime/base/status_macros.h"
#include "runtime/model/config.h"
#include "runtime/model/shard_plan.h"
#include "runtime/model/tensor_table.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/file.h"
#include "runtime/weights/tensor_table.h"

ABSL_FLAG(std::string, config, "", "config.json of the model");
ABSL_FLAG(int32_t, ranks, 16, "worker processes of the group");
ABSL_FLAG(int32_t, redundant, 0, "slots of a layer beyond one for each expert, over all ranks");
ABSL_FLAG(int32_t, ranks_per_node, 1, "ranks that fail together; replicas keep apart");
ABSL_FLAG(double, memory_gb, 0,
          "memory of a rank, in units of 1e9 bytes: also say whether it fits");
ABSL_FLAG(bool, mtp, false, "the multi-token-prediction module is loaded too");
ABSL_FLAG(bool, tensors, false, "also list every tensor: name, dtype, shape, readers");

namespace shoal {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

// "every rank", "no rank", or the ranks that hold the expert.
std::string Readers(const TensorSpec& spec, const ExpertPlacement& placement) {
  if (spec.use == TensorSpec::Use::kUnused) return "no rank";
  if (!spec.copy_of.empty()) return absl::StrCat("as ", spec.copy_of);
  if (spec.expert == TensorSpec::kEveryRank) return "every rank";
  return absl::StrCat("rank ",
                      absl::StrJoin(placement.ReplicasOf(spec.moe_layer, spec.expert), ",",
                                    [](std::string* out, const ExpertPlacement::Slot& slot) {
                                      absl::StrAppend(out, slot.rank);
                                    }));
}

void PrintTensors(const TensorTable& table, const ExpertPlacement& placement) {
  for (const TensorSpec& spec : table) {
    std::printf("%-62s %-8s [%s] %s\n", spec.name.c_str(),
                std::string(DTypeName(spec.dtypes.front())).c_str(),
                absl::StrJoin(spec.shape, ", ").c_str(), Readers(spec, placement).c_str());
  }
}

// FAILED_PRECONDITION when a rank's weights alone take more than it has.
absl::Status PrintFit(const ShardPlan& plan, const DeepSeekConfig& config, double memory_gb) {
  double held_gb = 0;
  for (const ShardPlan::Rank& rank : plan.ranks) {
    held_gb = std::max(held_gb, 1e-9 * static_cast<double>(rank.held_bytes));
  }
  if (held_gb > memory_gb) {
    return absl::FailedPreconditionError(
        absl::StrFormat("does not fit: a rank holds %.2f GB of weights, but --memory_gb is %.2f",
                        held_gb, memory_gb));
  }
  const auto per_position =
      static_cast<double>(CacheBytesPerPosition(config, absl::GetFlag(FLAGS_mtp)));
  std::printf(
      "fits: of %.2f GB a rank holds %.2f GB of weights; the other %.2f GB are for activations, "
      "buffers and cache: at most %.0f positions of %.0f bytes\n",
      memory_gb, held_gb, memory_gb - held_gb, (memory_gb - held_gb) * 1e9 / per_position,
      per_position);
  return absl::OkStatus();
}

absl::Status Run() {
  const std::string path = absl::GetFlag(FLAGS_config);
  if (path.empty()) return absl::InvalidArgumentError("needs --config");
  const double memory_gb = absl::GetFlag(FLAGS_memory_gb);
  if (!(memory_gb >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory_gb is ", memory_gb, ", not a number from 0 up"));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxConfigBytes));
  ASSIGN_OR_RETURN(const DeepSeekConfig config, ParseDeepSeekConfig(text, path));
  const GroupShape group{absl::GetFlag(FLAGS_ranks), absl::GetFlag(FLAGS_redundant),
                         absl::GetFlag(FLAGS_ranks_per_node), absl::GetFlag(FLAGS_mtp)};
  const auto placement = PlaceEvenly(config, group);
  RETURN_IF_ERROR(Annotate(placement.status(), "--ranks, --redundant, --ranks_per_node"));
  const TensorTable model = DeepSeekTensorTable(config);
  const TensorTable table = DeepSeekTensorTable(config, group.mtp);
  const ShardPlan plan = PlanShards(table, *placement);
  if (absl::GetFlag(FLAGS_tensors)) PrintTensors(table, *placement);
  std::printf("%s: %.5g B parameters, %.4g B active for a token, %s\n", path.c_str(),
              1e-9 * static_cast<double>(ParameterCount(model)),
              1e-9 * static_cast<double>(ActiveParameterCount(model, config)),
              config.fp8 ? "FP8" : "BF16");
  std::printf(
      "%d layers, %d of them MoE with %d experts; %d ranks with %d slots a layer each, %d "
      "redundant\n\n%s\n",
      config.layers, config.moe_layers(), config.gate.experts, group.ranks, plan.slots_per_layer,
      plan.redundant_per_layer, plan.ToString().c_str());
  return memory_gb > 0 ? PrintFit(plan, config, memory_gb) : absl::OkStatus();
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "prints what every rank of a group would read: plan --config=FILE [--ranks=N] "
      "[--redundant=N] [--ranks_per_node=N] [--mtp] [--memory_gb=N] [--tensors]");
  const std::vector<char*> left = absl::ParseCommandLine(argc, argv);
  const absl::Status status =
      left.size() > 1
          ? absl::InvalidArgumentError(absl::StrCat("argument \"", left[1], "\" is not a flag"))
          : shoal::Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "plan: %s\n", status.ToString().c_str());
  return 1;
}
