// The judge of the MTP module: nano, whose module was trained.  The main model answers held-out
// problems greedily; how many of the module's guesses are what the main model then chooses?

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/base/token_id.h"
#include "runtime/model/config.h"
#include "runtime/text/chat_message.h"
#include "runtime/text/text_model.h"
#include "tests/parity/golden_case.h"
#include "tests/parity/mtp_rig.h"
#include "tests/parity/mtp_saboteurs.h"

namespace shoal {
namespace {

constexpr char kModel[] = "tools/nano/model";
constexpr char kProblems[] = "tests/parity/testdata/mtp_problems.jsonl";
constexpr int kPositions = 640, kLongest = 512;
// Shares of right guesses.  On its own task a right module guesses all but everything.
constexpr double kLeast = 0.97, kLeastOnRandom = 0.6, kMostOfFaulty = 0.4;

TokenId ArgMax(const std::vector<float>& logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Tally {
  int guesses = 0, right = 0;
  double surprise = 0;  // sum over guesses of -ln(the probability of what the main model chose)

  void Add(const std::vector<float>& logits, TokenId chosen) {
    const double most = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float v : logits) sum += std::exp(v - most);
    ++guesses, right += ArgMax(logits) == chosen;
    surprise += most + std::log(sum) - logits[chosen];
  }
  double rate() const { return guesses == 0 ? 0 : static_cast<double>(right) / guesses; }
  double mean_surprise() const { return guesses == 0 ? 0 : surprise / guesses; }
};

// One problem, answered: prompt and output in one.
struct Answered {
  std::vector<TokenId> ids;
  int prompt = 0;
};

void Print(const char* what, const Tally& t) {
  std::printf("%-42s %5d of %5d right, %6.2f%%, surprise %.2e\n", what, t.right, t.guesses,
              100 * t.rate(), t.mean_surprise());
}

class MtpAcceptance : public ::testing::Test {
 protected:
  void SetUp() override {
    auto config = ReadDeepSeekConfig(kModel);
    auto text = LoadTextModel(kModel);
    ASSERT_TRUE(config.ok() && text.ok()) << config.status() << text.status();
    config_ = *std::move(config);
    text_.emplace(*std::move(text));
    end_of_think_ = text_->tokenizer->IdOf("</think>").value();
    std::ifstream lines(kProblems);
    for (std::string line; std::getline(lines, line);) {
      problems_.push_back(nlohmann::json::parse(line).at("question"));
    }
    ASSERT_EQ(problems_.size(), 15u);
  }

  std::unique_ptr<MtpRig> Open(MtpFault fault) const {
    auto rig = MtpRig::Open(config_, kModel, kPositions, Sabotaged(NewBf16Device(), fault));
    CHECK_OK(rig);
    return *std::move(rig);
  }

  std::vector<TokenId> Prompt(const std::string& question) const {
    const ChatMessage message{ChatRole::kUser, question, {}};
    const auto rendered = text_->chat_template.Render({message});
    CHECK_OK(rendered);
    auto ids = text_->tokenizer->EncodePrompt(rendered->pieces);
    CHECK_OK(ids);
    return *std::move(ids);
  }

  // Token by token, as an engine with one draft would, and with a second one chained to it.
  Answered Answer(MtpRig& rig, std::vector<TokenId> prompt_ids, int limit) {
    Answered a{std::move(prompt_ids), 0};
    a.prompt = static_cast<int>(a.ids.size());
    limit += a.prompt;
    const absl::Span<const TokenId> prompt(a.ids);
    auto logits = rig.Forward(0, prompt);
    CHECK_OK(logits);
    CHECK_OK(rig.Draft(1, prompt.subspan(1)));
    TokenId next = ArgMax(logits->back());
    bool reasoning = true;
    std::vector<std::pair<int, std::vector<float>>> second;  // guesses, by position
    while (next != config_.eos_id && static_cast<int>(a.ids.size()) < limit) {
      const int position = static_cast<int>(a.ids.size());
      a.ids.push_back(next);
      reasoning &= next != end_of_think_;
      const auto draft = rig.Draft(position, {next});
      CHECK_OK(draft);
      const TokenId guess = ArgMax((*draft)[0]);
      const auto chained = rig.Chain(position + 1, guess);
      CHECK_OK(chained);
      logits = rig.Forward(position, {next});
      CHECK_OK(logits);
      next = ArgMax((*logits)[0]);
      (reasoning ? reasoning_ : answer_).Add((*draft)[0], next);
      if (guess == next) second.emplace_back(position + 2, *chained);
    }
    a.ids.push_back(next);
    for (const auto& [position, guess] : second) {
      if (position < static_cast<int>(a.ids.size())) chained_.Add(guess, a.ids[position]);
    }
    return a;
  }

  // The same in one pass over the whole sequence; with `shift` 0, the token that the state already
  // knows stands where the next one should.
  static void Judge(MtpRig& rig, const Answered& a, int shift, Tally* tally) {
    const absl::Span<const TokenId> ids(a.ids);
    CHECK_OK(rig.Forward(0, ids));
    const auto drafts = rig.Draft(1, ids.subspan(shift, ids.size() - 1));
    CHECK_OK(drafts);
    for (size_t p = a.prompt; p + 1 < ids.size(); ++p) {
      tally->Add((*drafts)[p - 1], ids[p + 1]);
    }
  }
  Tally JudgeAll(MtpFault fault, const std::vector<Answered>& answers, int shift = 1) const {
    const auto rig = Open(fault);
    Tally tally;
    for (const Answered& a : answers) Judge(*rig, a, shift, &tally);
    return tally;
  }

  // Two of the faults nano's module does not mind: its main model's final norm has nearly equal
  // gains, which hnorm takes out again, and one row's embedding is little among many.  Those are
  // seen by mtp_parity_test.
  void ExpectFaultsCost(const std::vector<Answered>& answers) const {
    const Tally hidden_first = JudgeAll(MtpFault::kHiddenFirst, answers);
    const Tally unshifted = JudgeAll(MtpFault::kNone, answers, 0);
    Print("fault: hidden state before the embedding", hidden_first);
    Print("fault: token i instead of i + 1", unshifted);
    Print("fault: state before the final norm", JudgeAll(MtpFault::kUnnormedState, answers));
    Print("fault: first embedding not zeroed", JudgeAll(MtpFault::kFirstNotZeroed, answers));
    EXPECT_LE(hidden_first.rate(), kMostOfFaulty);
    EXPECT_LE(unshifted.rate(), kMostOfFaulty);
  }

  DeepSeekConfig config_;
  std::optional<TextModel> text_;
  TokenId end_of_think_ = 0;
  std::vector<std::string> problems_;
  Tally reasoning_, answer_;
  Tally chained_;  // second guesses after a right first one
};

TEST_F(MtpAcceptance, TheModuleGuessesWhatNanoThenChooses) {
  std::vector<Answered> answers;
  const auto rig = Open(MtpFault::kNone);
  for (const std::string& question : problems_)
    answers.push_back(Answer(*rig, Prompt(question), kLongest));
  const Tally all{reasoning_.guesses + answer_.guesses, reasoning_.right + answer_.right,
                  reasoning_.surprise + answer_.surprise};
  std::printf("%d problems\n", static_cast<int>(problems_.size()));
  Print("reasoning", reasoning_);
  Print("answer", answer_);
  Print("all", all);
  Print("second guess, chained, after a right one", chained_);
  EXPECT_GE(all.rate(), kLeast);
  EXPECT_GE(answer_.rate(), kLeast);
  EXPECT_GT(chained_.guesses, 0);

  // In one pass: the same guesses (law 1).
  const Tally at_once = JudgeAll(MtpFault::kNone, answers);
  EXPECT_EQ(at_once.guesses, all.guesses);
  EXPECT_EQ(at_once.right, all.right);
  EXPECT_NEAR(at_once.mean_surprise(), all.mean_surprise(), 1e-9);
  ExpectFaultsCost(answers);
}

// Outside of what it learned nano is unsure, and its module guesses worse.
TEST_F(MtpAcceptance, RandomPromptsAreHarder) {
  std::vector<Answered> answers;
  const auto rig = Open(MtpFault::kNone);
  uint32_t random = 1;
  for (int i = 0; i < 12; ++i) {
    std::vector<TokenId> ids = {config_.bos_id};
    for (int j = 0; j < 30; ++j) {
      random = random * 1664525 + 1013904223;
      ids.push_back(static_cast<TokenId>((random >> 16) % static_cast<uint32_t>(config_.vocab)));
    }
    answers.push_back(Answer(*rig, ids, 30));
  }
  std::printf("12 random prompts\n");
  const Tally right = JudgeAll(MtpFault::kNone, answers);
  Print("all", right);
  EXPECT_GE(right.rate(), kLeastOnRandom);
  ExpectFaultsCost(answers);
}

}  // namespace
}  // namespace shoal
