// parity_test can fail: each fault here, planted in a config, in the weights or around Ops, puts
// the logits further from the golden than its bounds for the reference device and for BF16.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/edit_checkpoint.h"
#include "tests/parity/golden_case.h"
#include "tests/parity/model_saboteurs.h"

namespace shoal {
namespace {

using nlohmann::json;

// The larger of the two.
constexpr double kBf16Bound = 2e-2;

struct Sabotage {
  std::string name, golden_case;
  std::function<void(json&)> config = nullptr;                                   // of config.json
  std::function<void(const GoldenCase&, const std::string&)> weights = nullptr;  // in a folder
  WrapOps ops = nullptr;
};

void PrintTo(const Sabotage& fault, std::ostream* out) { *out << fault.name; }

std::function<void(json&)> Set(const std::string& pointer, const json& value) {
  return [pointer, value](json& config) { config[json::json_pointer(pointer)] = value; };
}

std::function<void(json&)> SetMagnitudes(double mscale, double mscale_all_dim) {
  return [=](json& config) {
    config["rope_scaling"]["mscale"] = mscale;
    config["rope_scaling"]["mscale_all_dim"] = mscale_all_dim;
  };
}

// Zeros in every tensor whose name ends so.
template <typename T>
std::function<void(const GoldenCase&, const std::string&)> Zero(const std::string& suffix) {
  return [suffix](const GoldenCase&, const std::string& folder) {
    EXPECT_GT(EditTensors(folder, suffix,
                          [](StoredMatrix& m) { m.data.assign(m.data.size(), std::byte{0}); }),
              0);
  };
}

// Lays the last `dim` of every `head` rows out so that rotating the pairs (2i, 2i + 1) is rotating
// the halves (i, i + dim / 2) of the original.
void HalvesForPairs(StoredMatrix& m, int64_t head, int64_t dim) {
  const StoredMatrix original = m;
  const auto copy_row = [&](int64_t from, int64_t to) {
    const size_t bytes = static_cast<size_t>(m.cols) * sizeof(BF16);
    std::copy_n(original.data.begin() + from * static_cast<int64_t>(bytes), bytes,
                m.data.begin() + to * static_cast<int64_t>(bytes));
  };
  for (int64_t begin = head - dim; begin < m.rows; begin += head) {
    for (int64_t i = 0; i < dim / 2; ++i) {
      copy_row(begin + i, begin + 2 * i);
      copy_row(begin + dim / 2 + i, begin + 2 * i + 1);
    }
  }
}

void HalfSplitRope(const GoldenCase& c, const std::string& folder) {
  const int64_t rope = c.config["qk_rope_head_dim"], nope = c.config["qk_nope_head_dim"];
  const int64_t rank = c.config["kv_lora_rank"];
  for (const char* query : {"self_attn.q_proj.weight", "self_attn.q_b_proj.weight"})
    EditTensors(folder, query, [&](StoredMatrix& m) { HalvesForPairs(m, nope + rope, rope); });
  EditTensors(folder, "kv_a_proj_with_mqa.weight",
              [&](StoredMatrix& m) { HalvesForPairs(m, rank + rope, rope); });
}

// Every block takes the scale of the first block of its row of blocks, or of its column.
std::function<void(const GoldenCase&, const std::string&)> FirstScale(bool of_row) {
  return [of_row](const GoldenCase&, const std::string& folder) {
    EditTensors(folder, "_scale_inv", [of_row](StoredMatrix& scales) {
      for (int64_t r = 0; r < scales.rows; ++r) {
        for (int64_t b = 0; b < scales.cols; ++b)
          scales.At<float>(r, b) = of_row ? scales.At<float>(r, 0) : scales.At<float>(0, b);
      }
    });
  };
}

WrapOps Gate(std::function<void(GateConfig&)> change) {
  return [change](Ops& real) { return GateWith(real, change); };
}

std::vector<Sabotage> AttentionFaults() {
  return {
      {"SoftmaxScaleWithoutMagnitude", "v3", SetMagnitudes(0, 0)},
      {"SoftmaxScaleWithoutMagnitudeV2", "v2_lite", SetMagnitudes(0, 0)},
      {"RotationWithoutMagnitude", "v3_two_magnitudes", SetMagnitudes(0.5, 0.5)},
      {"SoftmaxMagnitudeFromMscale", "v3_long", SetMagnitudes(1.3, 1.3)},
      {"AbsentMscaleAllDimTakenAsOne", "v3_one_magnitude", SetMagnitudes(1, 1)},
      {"YarnOff", "v3", Set("/rope_scaling", nullptr)},
      // Every wave turns often over so long a context, so all keep their frequency.
      {"YarnFrequenciesOff", "v3", Set("/rope_scaling/original_max_position_embeddings", 1 << 20)},
      // Less than ten turns in a context of 64: every wave but the first is slow.
      {"YarnStretchesEveryWave", "v3",
       [](json& config) {
         config["rope_scaling"]["beta_fast"] = 10.1;
         config["rope_scaling"]["beta_slow"] = 10;
       }},
      {"YarnRampFromZero", "v3_two_magnitudes", Set("/rope_scaling/beta_fast", 32)},
      {"YarnOn", "v3_no_yarn",
       Set("/rope_scaling", {{"type", "yarn"},
                             {"factor", 4.0},
                             {"original_max_position_embeddings", 64},
                             {"mscale", 0},
                             {"mscale_all_dim", 0}})},
      {"HalfSplitRope", "v3", nullptr, HalfSplitRope},
      {"HalfSplitRopeWithoutQueryRank", "v3_no_query_rank", nullptr, HalfSplitRope},
      {"HalfSplitRopeV2", "v2_lite", nullptr, HalfSplitRope},
      {"DecodesOnePositionEarly", "v3_fp8", nullptr, nullptr, DecodesOnePositionEarly},
  };
}

std::vector<Sabotage> ExpertFaults() {
  const auto not_normalized = Gate([](GateConfig& g) { g.normalize = false; });
  const auto no_scale = Gate([](GateConfig& g) { g.scale = 1; });
  const auto no_groups = Gate([](GateConfig& g) { g.top_groups = g.groups; });
  return {
      {"BiasedWeights", "v3", nullptr, nullptr, BiasedWeights},
      {"BiasLeftOut", "v3", nullptr, Zero<float>("e_score_correction_bias")},
      {"SoftmaxForSigmoid", "v3", nullptr, nullptr,
       Gate([](GateConfig& g) { g.score = GateScore::kSoftmax; })},
      {"SigmoidForSoftmax", "v2_grouped_normalized", nullptr, nullptr,
       Gate([](GateConfig& g) { g.score = GateScore::kSigmoid; })},
      {"GroupScoreOfOne", "v3", nullptr, nullptr,
       Gate([](GateConfig& g) { g.group_score_terms = 1; })},
      {"GroupScoreOfTwo", "v2_grouped", nullptr, nullptr,
       Gate([](GateConfig& g) { g.group_score_terms = 2; })},
      {"GroupsLeftOut", "v3", nullptr, nullptr, no_groups},
      {"GroupsLeftOutV2", "v2_grouped", nullptr, nullptr, no_groups},
      {"GroupsLeftOutOneOpen", "v3_two_magnitudes", nullptr, nullptr, no_groups},
      {"NotNormalized", "v3", nullptr, nullptr, not_normalized},
      {"NotNormalizedV2", "v2_lite_normalized", nullptr, nullptr, not_normalized},
      {"Normalized", "v3_one_expert", nullptr, nullptr,
       Gate([](GateConfig& g) { g.normalize = true; })},
      {"NormalizedV2", "v2_lite", nullptr, nullptr,
       Gate([](GateConfig& g) { g.normalize = true; })},
      {"NotScaled", "v3", nullptr, nullptr, no_scale},
      {"NotScaledV2", "v2_grouped", nullptr, nullptr, no_scale},
      {"SharedExpertLeftOut", "v2_lite", nullptr, Zero<BF16>("shared_experts.down_proj.weight")},
  };
}

std::vector<Sabotage> WeightFaults() {
  return {
      {"ScaleOfAnotherRowBlock", "v3_fp8", nullptr, FirstScale(false)},
      {"ScaleOfAnotherColumnBlock", "v3_fp8", nullptr, FirstScale(true)},
      {"ScaleOfAnotherRowBlockV2", "v2_fp8", nullptr, FirstScale(false)},
      {"ScaleOfAnotherColumnBlockV2", "v2_fp8", nullptr, FirstScale(true)},
      {"ScaleOfAnotherWholeBlock", "v3_fp8_whole_blocks", nullptr, FirstScale(true)},
  };
}

std::vector<Sabotage> AllFaults() {
  std::vector<Sabotage> all;
  for (const auto& part : {AttentionFaults(), ExpertFaults(), WeightFaults()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class ParitySaboteurs : public ::testing::TestWithParam<Sabotage> {};

TEST_P(ParitySaboteurs, IsFarFromTheGolden) {
  const Sabotage& fault = GetParam();
  for (GoldenCase c : ReadGoldenCases()) {
    if (c.name != fault.golden_case) continue;
    if (fault.config) fault.config(c.config);
    TempFolder folder;
    WriteCheckpoint(c, folder.path());
    if (fault.weights) fault.weights(c, folder.path());
    const auto logits = RunCase(c, folder.path(), NewReferenceDevice, fault.ops);
    ASSERT_TRUE(logits.ok()) << logits.status();
    const double relative = RelativeL2(*logits, ReadGolden(c));
    std::printf("%-32s %-22s %.2g\n", fault.name.c_str(), c.name.c_str(), relative);
    EXPECT_GT(relative, kBf16Bound);
    return;
  }
  FAIL() << "there is no case " << fault.golden_case;
}

INSTANTIATE_TEST_SUITE_P(Faults, ParitySaboteurs, ::testing::ValuesIn(AllFaults()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace shoal
