#include "services/router/session/generation.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"

#include "runtime/base/fake_clock.h"
#include "runtime/text/tokenizer.h"
#include "services/common/error.h"
#include "services/router/fake_backend.h"
#include "services/router/session/generation_table.h"

namespace shoal {
namespace {

using End = v1::GenerationTokens;

class GenerationTest : public testing::Test {
 protected:
  GenerationTest() {
    auto loaded = Tokenizer::Load("tools/nano/model/tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  std::vector<int32_t> Ids(const std::string& text) { return *tokenizer_->Encode(text); }

  std::shared_ptr<Generation> Make(const std::string& request_id, bool reasoning = false) {
    GenerationSpec spec = {.generation_id = absl::StrCat("gen-", request_id),
                           .request_id = request_id,
                           .method = "Chat",
                           .model = "nano",
                           .end_token = 1,
                           .arrival = clock_.Now()};
    for (int id : {0, 5, 6}) spec.submit.add_prompt(id);
    spec.submit.set_max_output_tokens(100);
    outbox_ = std::make_shared<Outbox>(1000);
    return std::make_shared<Generation>(std::move(spec), OutputText::Chat(*tokenizer_, reasoning),
                                        outbox_, clock_, metrics_);
  }

  std::vector<v1::GenerateEvent> Drain(absl::Status* end) {
    std::vector<v1::GenerateEvent> events;
    for (;;) {
      Outbox::Item item = outbox_->TryTake();
      if (item.event.has_value()) {
        events.push_back(*item.event);
        continue;
      }
      *end = item.end.value_or(absl::UnknownError("no end yet"));
      return events;
    }
  }

  size_t submits_ = 0;
  FakeClock clock_;
  prometheus::Registry registry_;
  RouterMetrics metrics_{registry_};
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<Outbox> outbox_;
  FakeBackend backend_{2};
  GenerationTable table_{4, backend_, clock_, metrics_};
};

TEST_F(GenerationTest, AStreamIsStartedDeltasFinish) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  EXPECT_EQ(submit.generation(), "gen-a");
  EXPECT_EQ(submit.attempt(), 1u);
  clock_.Advance(absl::Milliseconds(250));
  const std::vector<int32_t> text = Ids("12 + 3");
  table_.OnTokens(rank, TokensFor(submit, 0, text));
  std::vector<int32_t> last = Ids("=15");
  last.push_back(1);
  table_.OnTokens(rank, TokensFor(submit, static_cast<int64_t>(text.size()), last, End::END_STOP));

  absl::Status end;
  const auto events = Drain(&end);
  EXPECT_TRUE(end.ok()) << end;
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].started().request_id(), "a");
  EXPECT_EQ(events[0].started().prompt_tokens(), 3);
  EXPECT_EQ(events[1].text_delta().text(), "12 + 3=15");
  const v1::Finish& finish = events[2].finish();
  EXPECT_EQ(finish.reason(), v1::STOP);
  EXPECT_EQ(finish.usage().output_tokens(), static_cast<int>(text.size() + last.size()));
  EXPECT_DOUBLE_EQ(finish.timings().ttft_seconds(), 0.25);
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].seq(), i);
  EXPECT_EQ(table_.open(), 0);
}

TEST_F(GenerationTest, ReasoningIsCountedAndSeparate) {
  ASSERT_TRUE(table_.Start(Make("a", /*reasoning=*/true), 1).ok());
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  std::vector<int32_t> ids = Ids("1+1");
  const auto reasoning = static_cast<int>(ids.size()) + 1;
  ids.push_back(*tokenizer_->IdOf("</think>"));
  for (const int32_t id : Ids("\n\n2")) ids.push_back(id);
  ids.push_back(1);
  table_.OnTokens(rank, TokensFor(submit, 0, ids, End::END_STOP));
  absl::Status end;
  const auto events = Drain(&end);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[1].reasoning_delta().text(), "1+1");
  EXPECT_EQ(events[2].text_delta().text(), "2");
  EXPECT_EQ(events[3].finish().usage().reasoning_tokens(), reasoning);
  EXPECT_EQ(events[3].finish().usage().output_tokens(), static_cast<int>(ids.size()));
}

// The saboteur of the stream law: a rank that repeats or skips a position must not get away with
// it.
TEST_F(GenerationTest, AGapOrARepetitionEndsTheStreamWithAnError) {
  for (const int64_t wrong : {-1, 1}) {
    ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
    const auto [rank, submit] = backend_.WaitForSubmit(submits_++);
    table_.OnTokens(rank, TokensFor(submit, 0, {5}));
    table_.OnTokens(rank, TokensFor(submit, 1 + wrong, {6}));
    absl::Status end;
    Drain(&end);
    EXPECT_EQ(end.code(), absl::StatusCode::kInternal) << end;
    EXPECT_EQ(table_.open(), 0);
    EXPECT_EQ(backend_.WaitForCancel(submits_ - 1).generation, "gen-a");
  }
}

TEST_F(GenerationTest, TokensOfAnotherAttemptOrRankAreNobodys) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  v1::Tokens stale = TokensFor(submit, 0, {5}, End::END_STOP);
  stale.mutable_generations(0)->set_attempt(7);
  table_.OnTokens(rank, stale);
  table_.OnTokens(rank + 1, TokensFor(submit, 0, {5}, End::END_STOP));
  absl::Status end;
  EXPECT_TRUE(Drain(&end).empty());
  EXPECT_EQ(table_.open(), 1);
}

TEST_F(GenerationTest, ALostRankEndsItsGenerationsOnly) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const std::shared_ptr<Outbox> a = outbox_;
  ASSERT_TRUE(table_.Start(Make("b"), 1).ok());
  const auto first = backend_.WaitForSubmit(0), second = backend_.WaitForSubmit(1);
  EXPECT_NE(first.rank, second.rank);
  table_.OnRankLost(first.rank, absl::UnavailableError("rank 0 was lost"));
  const auto lost = a->TryTake();
  ASSERT_TRUE(lost.end.has_value());
  EXPECT_EQ(lost.end->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(*lost.end), "RANK_LOST");
  EXPECT_EQ(table_.open(), 1);
  EXPECT_FALSE(outbox_->TryTake().end.has_value());
}

TEST_F(GenerationTest, RefusesWhatItCannotTake) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  EXPECT_EQ(table_.Start(Make("a"), 1).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(table_.Start(Make("b"), 65).code(), absl::StatusCode::kInvalidArgument);
  for (const char* id : {"b", "c", "d"}) ASSERT_TRUE(table_.Start(Make(id), 1).ok());
  EXPECT_EQ(table_.Start(Make("e"), 1).code(), absl::StatusCode::kResourceExhausted);
  table_.Drain(clock_.Now());
  EXPECT_EQ(table_.open(), 0);
  EXPECT_EQ(ReasonOf(table_.Start(Make("f"), 1)), "DRAINING");
}

TEST_F(GenerationTest, AGroupThatDoesNotServeSaysWhatItWaitsFor) {
  GroupSnapshot group;
  group.waiting_for = "rank 2 of 4";
  backend_.SetGroup(group);
  const absl::Status status = table_.Start(Make("a"), 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("rank 2 of 4"), std::string::npos);
  EXPECT_EQ(table_.open(), 0);
}

TEST_F(GenerationTest, ARankThatBreaksUnderASubmitIsPassedOver) {
  backend_.BreakRank(0);
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const auto submitted = backend_.WaitForSubmit(0);
  EXPECT_EQ(submitted.rank, 1);
  EXPECT_EQ(submitted.submit.attempt(), 2u);
}

TEST_F(GenerationTest, CancelReachesTheRankAndFinishes) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  EXPECT_FALSE(table_.CancelRequest("nobody"));
  EXPECT_TRUE(table_.CancelRequest("a"));
  EXPECT_EQ(backend_.WaitForCancel(0).generation, "gen-a");
  table_.OnTokens(rank, TokensFor(submit, 0, {}, End::END_CANCELLED));
  absl::Status end;
  const auto events = Drain(&end);
  EXPECT_TRUE(end.ok());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].finish().reason(), v1::CANCELLED);
}

TEST_F(GenerationTest, AWorkersErrorIsTheClients) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  v1::Tokens tokens = TokensFor(submit, 0, {}, End::END_ERROR);
  tokens.mutable_generations(0)->set_error_code(8);
  tokens.mutable_generations(0)->set_error_message("queue full");
  table_.OnTokens(rank, tokens);
  absl::Status end;
  EXPECT_TRUE(Drain(&end).empty());
  EXPECT_EQ(end.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(end.message(), "queue full");
  EXPECT_TRUE(end.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
}

// A status that is OK without a Finish would be a silent loss.
TEST_F(GenerationTest, AnErrorWithoutACodeAndAnEndThatIsNoneAreInternal) {
  for (const int end_value : {static_cast<int>(End::END_ERROR), 99}) {
    ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
    const auto [rank, submit] = backend_.WaitForSubmit(submits_++);
    table_.OnTokens(rank, TokensFor(submit, 0, {5}, static_cast<End::End>(end_value)));
    absl::Status end;
    for (const auto& event : Drain(&end)) EXPECT_FALSE(event.has_finish());
    EXPECT_EQ(end.code(), absl::StatusCode::kInternal) << end;
    EXPECT_EQ(table_.open(), 0);
  }
}

TEST_F(GenerationTest, WaitingAndRunningAreToldApart) {
  ASSERT_TRUE(table_.Start(Make("a"), 1).ok());
  ASSERT_TRUE(table_.Start(Make("b"), 1).ok());
  EXPECT_EQ(metrics_.waiting.Value(), 2);
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  table_.OnTokens(rank, TokensFor(submit, 0, {5}));
  EXPECT_EQ(metrics_.waiting.Value(), 1);
  EXPECT_EQ(metrics_.running.Value(), 1);
  table_.OnTokens(rank, TokensFor(submit, 1, {6}, End::END_STOP));
  table_.Abandon("gen-b");
  EXPECT_EQ(metrics_.waiting.Value(), 0);
  EXPECT_EQ(metrics_.running.Value(), 0);
}

// Cancels, or loses, the generation while its submit is on its way to a rank.
class SubmitInterrupted : public FakeBackend {
 public:
  using FakeBackend::FakeBackend;
  absl::Status Submit(int32_t rank, const v1::Submit& submit) override {
    if (auto then = std::exchange(before_, nullptr)) then(rank);
    return FakeBackend::Submit(rank, submit);
  }
  std::function<void(int32_t)> before_;
};

TEST_F(GenerationTest, ACancelThatComesBeforeTheRankHasItIsRepeated) {
  SubmitInterrupted backend(2);
  GenerationTable table(4, backend, clock_, metrics_);
  backend.before_ = [&](int32_t) { EXPECT_TRUE(table.CancelRequest("a")); };
  ASSERT_TRUE(table.Start(Make("a"), 1).ok());
  EXPECT_EQ(backend.WaitForCancel(1).attempt, 1u);
}

TEST_F(GenerationTest, ARankLostUnderASubmitEndsItOnceAndLeavesNoOrphan) {
  SubmitInterrupted backend(2);
  GenerationTable table(4, backend, clock_, metrics_);
  backend.before_ = [&](int32_t rank) {
    backend.BreakRank(rank);
    table.OnRankLost(rank, absl::UnavailableError("gone"));
  };
  // The outbox hears of the loss, so Start() must not speak of it too.
  EXPECT_TRUE(table.Start(Make("a"), 1).ok());
  absl::Status end;
  EXPECT_TRUE(Drain(&end).empty());
  EXPECT_EQ(ReasonOf(end), "RANK_LOST");
  const auto orphan = backend.WaitForSubmit(0);
  const auto cancelled = backend.WaitForCancel(0);
  EXPECT_EQ(cancelled.rank, orphan.rank);
  EXPECT_EQ(cancelled.attempt, orphan.submit.attempt());
}

}  // namespace
}  // namespace shoal
