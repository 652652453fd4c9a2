// shoal-convert: the FP8 form of a BF16 checkpoint, or digests for one that has none.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/convert/convert.h"

ABSL_FLAG(std::string, from, "", "folder of a BF16 checkpoint (config.json, safetensors shards)");
ABSL_FLAG(std::string, to, "", "folder to make");
ABSL_FLAG(std::string, format, "", "what to make: fp8 (e4m3, 128 x 128 blocks)");
ABSL_FLAG(std::string, digests, "", "instead: write digests.json into this checkpoint folder");

namespace {

// At most one line per percent.
void ShowProgress(int64_t done, int64_t total) {
  if (done * 100 / total != (done - 1) * 100 / total) {
    std::fprintf(stderr, "\r%3d%%", static_cast<int>(done * 100 / total));
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "shoal-convert: %s\n", status.ToString().c_str());
  return 1;
}

int AddDigests(const std::string& folder) {
  const absl::StatusOr<std::string> digest = shoal::AddDigests(folder);
  if (!digest.ok()) return Fail(digest.status());
  std::printf("digest %s\n", digest->c_str());
  return 0;
}

int Convert(const std::string& from, const std::string& to) {
  const bool watched = isatty(STDERR_FILENO) != 0;
  const absl::StatusOr<shoal::ConvertResult> result =
      shoal::ConvertToFp8(from, to, watched ? ShowProgress : shoal::ConvertProgress());
  if (watched) std::fprintf(stderr, "\r    \r");
  if (!result.ok()) return Fail(result.status());
  std::printf("%lld tensors quantized, %lld as they were, %lld bytes\ndigest %s\n",
              static_cast<long long>(result->quantized), static_cast<long long>(result->copied),
              static_cast<long long>(result->bytes), result->digest.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "shoal-convert --from=DIR --to=DIR --format=fp8\n       shoal-convert --digests=DIR");
  const size_t positional = absl::ParseCommandLine(argc, argv).size();
  const std::string from = absl::GetFlag(FLAGS_from), to = absl::GetFlag(FLAGS_to),
                    format = absl::GetFlag(FLAGS_format), digests = absl::GetFlag(FLAGS_digests);
  if (positional == 1 && !digests.empty() && from.empty() && to.empty()) return AddDigests(digests);
  if (positional != 1 || from.empty() || to.empty() || !digests.empty()) {
    return Fail(absl::InvalidArgumentError("needs --from, --to and --format, or --digests alone"));
  }
  if (format != "fp8") {
    return Fail(
        absl::InvalidArgumentError("--format is \"" + format + "\", but only fp8 is supported"));
  }
  return Convert(from, to);
}
