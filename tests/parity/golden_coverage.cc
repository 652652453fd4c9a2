#include "tests/parity/golden_coverage.h"

#include <algorithm>
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/model/config.h"
#include "runtime/model/rope.h"
#include "runtime/model/tensor_table.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {
namespace {

DeepSeekConfig Parsed(const GoldenCase& c) {
  const auto config = ParseDeepSeekConfig(c.config.dump());
  CHECK_OK(config);
  return *config;
}

bool Sigmoid(const DeepSeekConfig& c) { return c.gate.score == GateScore::kSigmoid; }
bool Grouped(const DeepSeekConfig& c) { return c.gate.groups > 1; }

// Some FP8 matrix takes several blocks along `axis` (0: rows), the last of them partial or whole.
bool Blocks(const DeepSeekConfig& c, int axis, bool partial) {
  const TensorTable table = DeepSeekTensorTable(c);
  return std::any_of(table.begin(), table.end(), [&](const TensorSpec& spec) {
    return spec.dtypes.front() == DType::kF8E4M3 && spec.shape[axis] > kScaleBlock &&
           (spec.shape[axis] % kScaleBlock != 0) == partial;
  });
}

template <int kGroups>
bool SigmoidWithGroups(const GoldenCase& c) {
  return Sigmoid(Parsed(c)) && Parsed(c).gate.groups == kGroups;
}
template <int kTopK>
bool TopK(const GoldenCase& c) {
  return Parsed(c).gate.top_k == kTopK;
}
template <int kExperts>
bool SharedExperts(const GoldenCase& c) {
  return Parsed(c).shared_experts == kExperts;
}
template <int kLayers>
bool DenseLayers(const GoldenCase& c) {
  return Parsed(c).dense_layers == kLayers;
}

using Case = const GoldenCase&;

std::vector<Feature> AttentionFeatures() {
  return {
      {"q_lora_rank given", [](Case c) { return Parsed(c).q_lora_rank > 0; }},
      {"q_lora_rank null", [](Case c) { return Parsed(c).q_lora_rank == 0; }},
      {"YaRN off", [](Case c) { return !Parsed(c).yarn.has_value(); }},
      {"mscale equal to mscale_all_dim",
       [](Case c) {
         const auto yarn = Parsed(c).yarn;
         return yarn && yarn->mscale_all_dim > 0 && yarn->mscale == yarn->mscale_all_dim;
       }},
      {"mscale above mscale_all_dim",
       [](Case c) {
         const auto yarn = Parsed(c).yarn;
         return yarn && yarn->mscale_all_dim > 0 && yarn->mscale > yarn->mscale_all_dim;
       }},
      {"mscale below mscale_all_dim",
       [](Case c) {
         return Parsed(c).yarn && Parsed(c).yarn->mscale < Parsed(c).yarn->mscale_all_dim;
       }},
      {"mscale without mscale_all_dim",
       [](Case c) { return Parsed(c).yarn && Parsed(c).yarn->mscale_all_dim == 0; }},
      {"YaRN's ramp begins after the first wave",
       [](Case c) {
         const DeepSeekConfig config = Parsed(c);
         DeepSeekConfig plain = config;
         plain.yarn.reset();
         // The second wave keeps its frequency, and a later one does not.
         return config.yarn && RopeFrequencies(config)[1] == RopeFrequencies(plain)[1] &&
                RopeFrequencies(config) != RopeFrequencies(plain);
       }},
      {"prefill past the original YaRN length",
       [](Case c) {
         return Parsed(c).yarn && c.length - c.decoded() > Parsed(c).yarn->original_max_positions;
       }},
      {"decoding past the original YaRN length",
       [](Case c) {
         return Parsed(c).yarn && c.length > Parsed(c).yarn->original_max_positions &&
                c.decoded() > 0;
       }},
  };
}

std::vector<Feature> ExpertFeatures() {
  return {
      {"sigmoid gate, 1 group", SigmoidWithGroups<1>},
      {"sigmoid gate, 2 groups", SigmoidWithGroups<2>},
      {"sigmoid gate, 4 groups", SigmoidWithGroups<4>},
      {"sigmoid gate, 8 groups", SigmoidWithGroups<8>},
      {"one group open of several",
       [](Case c) { return Grouped(Parsed(c)) && Parsed(c).gate.top_groups == 1; }},
      {"every group open",
       [](Case c) {
         return Grouped(Parsed(c)) && Parsed(c).gate.top_groups == Parsed(c).gate.groups;
       }},
      {"top-1", TopK<1>},
      {"top-4", TopK<4>},
      {"top-6", TopK<6>},
      {"top-8", TopK<8>},
      {"sigmoid gate, not normalized",
       [](Case c) { return Sigmoid(Parsed(c)) && !Parsed(c).gate.normalize; }},
      {"softmax gate, greedy, not normalized",
       [](Case c) { return c.config["topk_method"] == "greedy" && !Parsed(c).gate.normalize; }},
      {"softmax gate, greedy, normalized",
       [](Case c) { return c.config["topk_method"] == "greedy" && Parsed(c).gate.normalize; }},
      {"softmax gate, group_limited_greedy, not normalized",
       [](Case c) {
         return c.config["topk_method"] == "group_limited_greedy" && !Parsed(c).gate.normalize;
       }},
      {"softmax gate, group_limited_greedy, normalized",
       [](Case c) {
         return c.config["topk_method"] == "group_limited_greedy" && Parsed(c).gate.normalize;
       }},
      {"softmax gate, scaled",
       [](Case c) { return !Sigmoid(Parsed(c)) && Parsed(c).gate.scale != 1; }},
      {"no shared expert", SharedExperts<0>},
      {"1 shared expert", SharedExperts<1>},
      {"2 shared experts", SharedExperts<2>},
      {"no dense layer", DenseLayers<0>},
      {"1 dense layer", DenseLayers<1>},
  };
}

std::vector<Feature> Fp8Features() {
  return {
      {"FP8, partial row blocks", [](Case c) { return Blocks(Parsed(c), 0, true); }},
      {"FP8, partial column blocks", [](Case c) { return Blocks(Parsed(c), 1, true); }},
      {"FP8, whole row blocks", [](Case c) { return Blocks(Parsed(c), 0, false); }},
      {"FP8, whole column blocks", [](Case c) { return Blocks(Parsed(c), 1, false); }},
      {"FP8, q_lora_rank null", [](Case c) { return Parsed(c).fp8 && Parsed(c).q_lora_rank == 0; }},
      {"FP8, softmax gate", [](Case c) { return Parsed(c).fp8 && !Sigmoid(Parsed(c)); }},
  };
}

std::vector<Feature> ServingFeatures() {
  return {
      {"all in one pass", [](Case c) { return c.prefill.size() == 1 && c.decoded() == 0; }},
      {"prefill in one pass, then decoding",
       [](Case c) { return c.prefill.size() == 1 && c.decoded() > 1; }},
      {"prefill in chunks, then decoding",
       [](Case c) { return c.prefill.size() > 1 && c.decoded() > 1; }},
      {"prefill in whole KV blocks",
       [](Case c) { return c.prefill.size() > 1 && c.prefill[0] % kKvBlock == 0; }},
      {"prefill across KV blocks",
       [](Case c) { return c.prefill.size() > 1 && c.prefill[0] % kKvBlock != 0; }},
      {"decoding from an empty cache", [](Case c) { return c.prefill.empty(); }},
  };
}

}  // namespace

const std::vector<Feature>& RequiredFeatures() {
  static const auto* const features = [] {
    auto* const all = new std::vector<Feature>;
    for (const auto& part :
         {AttentionFeatures(), ExpertFeatures(), Fp8Features(), ServingFeatures()}) {
      all->insert(all->end(), part.begin(), part.end());
    }
    return all;
  }();
  return *features;
}

std::vector<std::string> MissingFeatures(const std::vector<GoldenCase>& cases) {
  std::vector<std::string> missing;
  for (const Feature& feature : RequiredFeatures()) {
    if (std::none_of(cases.begin(), cases.end(), feature.holds)) missing.push_back(feature.name);
  }
  return missing;
}

}  // namespace shoal
