// The distributions of Hugging Face's logits processors (make_goldens.py), on every instruction
// set.

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/naive_sampler.h"
#include "runtime/sampling/sampler.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

// The same as row_of in make_goldens.py, exactly.
std::vector<float> RowOf(const Json& spec) {
  std::vector<float> logits(spec.at("vocab").get<size_t>());
  const uint64_t seed = spec.at("seed").get<uint64_t>();
  for (size_t i = 0; i < logits.size(); ++i) {
    const double u =
        static_cast<double>((i * 2654435761 + seed * 40503) % (uint64_t{1} << 32) >> 20) / 4096;
    logits[i] = static_cast<float>(16 * (spec.at("power") == 2 ? u * u : u) - 8);
  }
  return logits;
}

SamplingOptions OptionsOf(const Json& json) {
  SamplingOptions options;
  options.temperature = json.value("temperature", 1.0f);
  options.top_p = json.value("top_p", 1.0f);
  options.top_k = json.value("top_k", 0);
  options.min_p = json.value("min_p", 0.0f);
  options.presence_penalty = json.value("presence_penalty", 0.0f);
  options.frequency_penalty = json.value("frequency_penalty", 0.0f);
  options.repetition_penalty = json.value("repetition_penalty", 1.0f);
  options.min_tokens = json.value("min_tokens", 0);
  for (const Json& bias : json.value("logit_bias", Json::array())) {
    options.logit_bias.push_back({bias[0].get<TokenId>(), bias[1].get<float>()});
  }
  return options;
}

struct Case {
  explicit Case(const Json& json)
      : name(json.at("name").get<std::string>()),
        logits(RowOf(json.at("row"))),
        options(OptionsOf(json.at("options"))),
        prompt(json.value("prompt", std::vector<TokenId>())),
        output(json.value("output", std::vector<TokenId>())),
        stops(json.value("stop_tokens", std::vector<TokenId>())),
        kept(json.at("kept").get<std::vector<TokenId>>()),
        probabilities(json.at("probabilities").get<std::vector<double>>()) {
    if (!json.contains("allowed")) return;
    allowed.resize((logits.size() + 63) / 64);
    for (const Json& id : json.at("allowed")) {
      allowed[id.get<size_t>() / 64] |= uint64_t{1} << (id.get<size_t>() % 64);
    }
  }
  SampleInput input() const {
    return {.logits = logits,
            .options = options,
            .prompt = prompt,
            .output = output,
            .stop_tokens = stops,
            .allowed = allowed};
  }
  // Whether these are the tokens that survive, with their probabilities.
  bool Matches(const std::vector<TokenProbability>& distribution) const {
    std::vector<double> actual(logits.size());
    for (const TokenProbability& p : distribution) actual[p.id] = p.probability;
    if (distribution.size() != kept.size()) return false;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (actual[kept[i]] == 0 || std::fabs(actual[kept[i]] - probabilities[i]) > 1e-6)
        return false;
    }
    return true;
  }

  std::string name;
  std::vector<float> logits;
  SamplingOptions options;
  std::vector<TokenId> prompt, output, stops, kept;
  std::vector<double> probabilities;
  std::vector<uint64_t> allowed;
};

std::vector<Case> Cases() {
  std::ifstream file("runtime/sampling/testdata/goldens.json");
  std::vector<Case> cases;
  const Json goldens = Json::parse(file);
  for (const Json& json : goldens.at("cases")) cases.emplace_back(json);
  return cases;
}

TEST(GoldenTest, SurvivorsAndProbabilitiesAreHuggingFaces) {
  const std::vector<Case> cases = Cases();
  EXPECT_EQ(cases.size(), 24u);
  for (Isa isa : SupportedIsas()) {
    SamplerScratch scratch(isa);
    for (const Case& c : cases) {
      ASSERT_TRUE(Validate(c.options, static_cast<int64_t>(c.logits.size())).ok()) << c.name;
      const auto distribution = Distribution(c.input(), scratch);
      ASSERT_TRUE(distribution.ok()) << distribution.status();
      EXPECT_TRUE(c.Matches(*distribution)) << c.name << ", " << IsaName(isa);
    }
  }
}

TEST(GoldenTest, FindEveryMistakeInTheOrderOrTheFormulas) {
  const std::vector<Case> cases = Cases();
  const auto caught = [&cases](NaiveMistake mistake) {
    int count = 0;
    for (const Case& c : cases) {
      count += c.Matches(NaiveSampler(c.input(), mistake).distribution) ? 0 : 1;
    }
    return count;
  };
  EXPECT_EQ(caught(NaiveMistake::kNone), 0);
  EXPECT_GT(caught(NaiveMistake::kTopPBeforeTopK), 0);
  EXPECT_GT(caught(NaiveMistake::kPenaltiesCountPrompt), 0);
  EXPECT_GT(caught(NaiveMistake::kRepetitionPerOccurrence), 0);
  EXPECT_GT(caught(NaiveMistake::kBiasAfterRepetition), 0);
  EXPECT_GT(caught(NaiveMistake::kTemperatureAfterFilters), 0);
  EXPECT_GT(caught(NaiveMistake::kTopPOneTooMany), 0);
}

}  // namespace
}  // namespace shoal
