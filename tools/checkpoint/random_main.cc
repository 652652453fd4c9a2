// A checkpoint of random weights, of any size that a config.json describes.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "runtime/base/status_macros.h"
#include "runtime/weights/file.h"
#include "tools/checkpoint/random.h"

ABSL_FLAG(std::string, config, "", "config.json of the model");
ABSL_FLAG(std::string, to, "", "folder to write; its parent must exist");
ABSL_FLAG(uint64_t, seed, 1, "the same seed gives the same bytes on every machine");
ABSL_FLAG(std::string, form, "", "fp8 or bf16; empty: as the config says");
ABSL_FLAG(int32_t, layers, 0, "num_hidden_layers; 0: as the config says");
ABSL_FLAG(std::vector<std::string>, set, {},
          "other fields of the config to change: n_routed_experts=16,first_k_dense_replace=1");
ABSL_FLAG(double, shard_gb, 4.3, "tensor data in a shard, in units of 1e9 bytes");
ABSL_FLAG(std::string, tokenizer, "", "folder to copy the tokenizer's files from; empty: none");

namespace shoal {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

absl::StatusOr<std::string> ConfigFromFlags() {
  const std::string path = absl::GetFlag(FLAGS_config);
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxConfigBytes));
  ConfigEdits edits{absl::GetFlag(FLAGS_form), absl::GetFlag(FLAGS_layers), {}};
  for (const std::string& change : absl::GetFlag(FLAGS_set)) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(change, absl::MaxSplits('=', 1));
    if (change.find('=') == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--set holds \"", change, "\", which is not FIELD=VALUE"));
    }
    edits.fields.push_back(parts);
  }
  return EditedConfig(text, path, edits);
}

absl::Status Run() {
  if (absl::GetFlag(FLAGS_config).empty() || absl::GetFlag(FLAGS_to).empty()) {
    return absl::InvalidArgumentError("needs --config and --to");
  }
  const double shard_gb = absl::GetFlag(FLAGS_shard_gb);
  if (!(shard_gb >= 1e-6 && shard_gb <= 1e6)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shard_gb is ", shard_gb, ", which is not between 0.000001 and 1000000"));
  }
  RandomCheckpointSpec spec;
  ASSIGN_OR_RETURN(spec.config_json, ConfigFromFlags());
  spec.to = absl::GetFlag(FLAGS_to);
  spec.seed = absl::GetFlag(FLAGS_seed);
  spec.shard_bytes = static_cast<int64_t>(shard_gb * 1e9);
  spec.tokenizer = absl::GetFlag(FLAGS_tokenizer);
  const bool watched = isatty(STDERR_FILENO) != 0;
  int64_t shown = -1;
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const RandomCheckpointResult result,
                   MakeRandomCheckpoint(spec, [&](int64_t done, int64_t total) {
                     if (!watched || done * 100 / total == shown) return;
                     shown = done * 100 / total;
                     std::fprintf(stderr, "\r%3d%%", static_cast<int>(shown));
                   }));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (watched) std::fprintf(stderr, "\r    \r");
  std::printf("%lld tensors, %d shards, %.3f GB in %.1f s (%.0f MB/s, one thread)\ndigest %s\n",
              static_cast<long long>(result.tensors), result.shards,
              1e-9 * static_cast<double>(result.bytes), seconds,
              1e-6 * static_cast<double>(result.bytes) / seconds, result.digest.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "writes a checkpoint of random weights: random --config=FILE --to=DIR [--seed=N] "
      "[--form=fp8|bf16] [--layers=N] [--set=FIELD=VALUE,...] [--shard_gb=N] [--tokenizer=DIR]");
  const std::vector<char*> left = absl::ParseCommandLine(argc, argv);
  const absl::Status status =
      left.size() > 1
          ? absl::InvalidArgumentError(absl::StrCat("argument \"", left[1], "\" is not a flag"))
          : shoal::Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "random: %s\n", status.ToString().c_str());
  return 1;
}
