// Input: a config.json.
//
// Accepted means: the digest does not depend on how the file is written, the gate can choose its
// experts, and the tensor table it demands has no name twice and no size that overflows.

#include <string>

#include "absl/container/flat_hash_set.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/model/config.h"
#include "runtime/model/tensor_table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutator.h"

namespace shoal {
namespace {

// Above this the table takes longer than the thousand inputs that could be tried meanwhile.
constexpr int64_t kMaxExperts = 256;

void CheckTensorTable(const DeepSeekConfig& config) {
  absl::flat_hash_set<std::string> names;
  const TensorTable table = DeepSeekTensorTable(config);
  __int128 parameters = 0, bytes = 0;
  for (const TensorSpec& spec : table) {
    CHECK(names.insert(spec.name).second);
    __int128 elements = 1;
    for (const int64_t dim : spec.shape) {
      CHECK_GE(dim, 1);
      elements *= dim;
    }
    CHECK(elements == spec.elements());
    bytes += elements * 4;
    const bool counts = spec.use != TensorSpec::Use::kUnused && spec.use != TensorSpec::Use::kScale;
    if (counts) parameters += elements;
  }
  CHECK(parameters == ParameterCount(table));
  CHECK(bytes <= INT64_MAX);
}

void CheckAccepted(const DeepSeekConfig& config, absl::string_view text) {
  const std::string rewritten = nlohmann::json::parse(text.begin(), text.end()).dump(2);
  const auto again = ParseDeepSeekConfig(rewritten);
  CHECK_OK(again.status());
  CHECK(config.Digest() == again->Digest());
  const GateConfig& gate = config.gate;
  CHECK_EQ(gate.experts % gate.groups, 0);
  CHECK_LE(gate.top_groups, gate.groups);
  CHECK_LE(gate.top_k, gate.top_groups * (gate.experts / gate.groups));
  CHECK_GE(config.moe_layers(), 1);
  CHECK_EQ(config.rope_dim % 2, 0);
  const int64_t layers = int64_t{config.layers} + config.mtp_layers;
  if (layers * gate.experts <= kMaxExperts) CheckTensorTable(config);
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = shoal::ParseDeepSeekConfig(text);
  if (config.ok()) {
    shoal::CheckAccepted(*config, text);
  } else {
    shoal::fuzz::CheckRefusal(config.status(), "config.json: ");
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return shoal::fuzz::MutateInput(data, size, max_size, seed);
}
