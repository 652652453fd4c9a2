#ifndef SHOAL_TESTS_PARITY_GOLDEN_CASE_H_
#define SHOAL_TESTS_PARITY_GOLDEN_CASE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "tests/parity/rank_group.h"

namespace shoal {

// One case of testdata/cases.json: a config, the seed of its random checkpoint, and how one
// sequence is served.  The golden is the logits of all its positions, in testdata/NAME.f32.
struct GoldenCase {
  std::string name;
  uint64_t seed = 0;
  int length = 0;            // of the sequence
  std::vector<int> prefill;  // the sizes of the first passes; then one position a pass
  nlohmann::json config;     // config.json, the manifest's base included

  size_t vocab() const { return config["vocab_size"]; }
  int decoded() const;  // positions that come one by one
};

// For gtest: the name.
void PrintTo(const GoldenCase& c, std::ostream* out);

// Reads the manifest; what is not as above ends the test process, naming it.
std::vector<GoldenCase> ReadGoldenCases();

// [length, vocab]
std::vector<float> ReadGolden(const GoldenCase& c);

// Writes the case's checkpoint into the existing folder, as make_goldens.py means it: random
// values, and FP8 scales that differ from block to block.  It carries no digests, so that a test
// may change a tensor.
void WriteCheckpoint(const GoldenCase& c, const std::string& folder);

using MakeDevice = std::function<std::unique_ptr<Device>()>;
using WrapOps = std::function<std::unique_ptr<Ops>(Ops& real)>;

// Serves the case's sequence as one rank, from the checkpoint in `folder`.  [length, vocab]
absl::StatusOr<std::vector<float>> RunCase(const GoldenCase& c, const std::string& folder,
                                           MakeDevice device, WrapOps wrap_ops = nullptr);

// The BF16 CPU device.
std::unique_ptr<Device> NewBf16Device();

// |logits - golden| / |golden|; infinite where the sizes differ.
double RelativeL2(const std::vector<float>& logits, const std::vector<float>& golden);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_GOLDEN_CASE_H_
