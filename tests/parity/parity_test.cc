// Law 2: logits match Hugging Face transformers' DeepseekV3ForCausalLM in float32
// (make_goldens.py).

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/rank_group.h"

namespace shoal {
namespace {

constexpr uint64_t kSeed = 11;
constexpr int kLength = 150;
// A position's router chose clearly where the experts and groups it took beat the others by this
// much in score.  Nearer than that, bf16 rounding may rightly choose another expert, which is
// another function and not a rounding error.
constexpr float kClearRouting = 0.003f;
// A position's argmax counts where the golden's best logit leads the second by this share of the
// rms logit: below it bf16 rounding may rightly choose another.
constexpr double kClearMargin = 0.1;

std::string ReadFile(const std::string& name) {
  std::ifstream in("tests/parity/testdata/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<float> ReadFloats(const std::string& name) {
  const std::string raw = ReadFile(name);
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
}

class ParityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const nlohmann::json config = nlohmann::json::parse(ReadFile("config.json"));
    vocab_ = config["vocab_size"];
    ASSERT_TRUE(WriteRandomCheckpoint(config, folder_.path(), {.seed = kSeed}).ok());
    golden_ = ReadFloats("logits.f32");
    router_margin_ = ReadFloats("router_margin.f32");
    ASSERT_EQ(golden_.size(), kLength * vocab_);
    ASSERT_EQ(router_margin_.size(), static_cast<size_t>(kLength));
  }

  std::vector<float> LogitsOf(std::function<std::unique_ptr<Device>()> device) const {
    std::vector<TokenId> ids;
    for (int i = 0; i < kLength; ++i)
      ids.push_back((i * i * 31 + i * 7 + 3) % static_cast<int>(vocab_));
    GroupRun run;
    run.folder = folder_.path();
    run.sequences = {ids};
    run.schedules = {InChunks(0, {100, 49, 1})};
    run.device = std::move(device);
    const auto logits = RunGroup(run);
    EXPECT_TRUE(logits.ok()) << logits.status();
    std::vector<float> all;
    for (const auto& [place, values] : *logits) all.insert(all.end(), values.begin(), values.end());
    return all;
  }

  // Over the positions that the router of the golden decided by at least `routing` in every layer.
  double RelativeL2(const std::vector<float>& logits, float routing = 0) const {
    EXPECT_EQ(logits.size(), golden_.size());
    double error = 0, norm = 0;
    for (size_t i = 0; i < golden_.size(); ++i) {
      if (router_margin_[i / vocab_] < routing) continue;
      error += std::pow(double{logits[i]} - golden_[i], 2);
      norm += std::pow(double{golden_[i]}, 2);
    }
    return std::sqrt(error / norm);
  }

  // Positions whose golden argmax has a clear margin, and those of them where ours is the same.
  std::pair<int, int> ArgmaxAgreement(const std::vector<float>& logits) const {
    double squares = 0;
    for (const float v : golden_) squares += double{v} * v;
    const double margin = kClearMargin * std::sqrt(squares / static_cast<double>(golden_.size()));
    int clear = 0, equal = 0;
    for (size_t at = 0; at < golden_.size(); at += vocab_) {
      const float *const golden = &golden_[at], *const ours = &logits[at];
      std::vector<float> sorted(golden, golden + vocab_);
      std::nth_element(sorted.begin(), sorted.begin() + 1, sorted.end(), std::greater<>());
      if (*std::max_element(golden, golden + vocab_) - sorted[1] < margin) continue;
      ++clear;
      equal += std::max_element(golden, golden + vocab_) - golden ==
               std::max_element(ours, ours + vocab_) - ours;
    }
    return {clear, equal};
  }

  TempFolder folder_;
  size_t vocab_ = 0;
  std::vector<float> golden_;         // [kLength, vocab]
  std::vector<float> router_margin_;  // [kLength]
};

TEST_F(ParityTest, ReferenceOpsMatchInFloat32) {
  const double relative = RelativeL2(LogitsOf(NewReferenceDevice));
  std::printf("reference: relative L2 %.3g\n", relative);
  EXPECT_LE(relative, 1e-5);
}

TEST_F(ParityTest, Bf16PathMatchesWithinItsRounding) {
  const std::vector<float> logits = LogitsOf([] {
    auto device = NewCpuDevice({});
    EXPECT_TRUE(device.ok()) << device.status();
    return *std::move(device);
  });
  const auto decided = std::count_if(router_margin_.begin(), router_margin_.end(),
                                     [](float margin) { return margin >= kClearRouting; });
  const double relative = RelativeL2(logits, kClearRouting), everywhere = RelativeL2(logits);
  const auto [clear, equal] = ArgmaxAgreement(logits);
  std::printf(
      "bf16: relative L2 %.3g at %d positions with clear routing (%.3g at all), argmax equal at %d "
      "of %d with a "
      "clear margin\n",
      relative, static_cast<int>(decided), everywhere, equal, clear);
  EXPECT_LE(relative, 2e-2);
  EXPECT_GE(decided, kLength * 3 / 4);
  EXPECT_LE(everywhere, 1e-1);
  EXPECT_GE(equal, clear * 0.99);
  EXPECT_GE(clear, kLength / 2);
}

// The test can fail: another model, however near, is not this one.
TEST_F(ParityTest, AnotherSeedIsFarAway) {
  const nlohmann::json config = nlohmann::json::parse(ReadFile("config.json"));
  ASSERT_TRUE(WriteRandomCheckpoint(config, folder_.path(), {.seed = kSeed + 1}).ok());
  EXPECT_GT(RelativeL2(LogitsOf(NewReferenceDevice)), 0.5);
}

}  // namespace
}  // namespace shoal
