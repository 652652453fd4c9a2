#include "runtime/engine/engine.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

#include "runtime/base/fake_clock.h"
#include "runtime/engine/testing/fake_model.h"
#include "runtime/engine/testing/stream_checker.h"
#include "runtime/engine/testing/test_cluster.h"

namespace shoal {
namespace {

using Stream = StreamChecker::Stream;

Group Alone() { return std::move(MakeTestGroups(1)[0]); }

TEST(EngineTest, OneGeneration) {
  TestRank rank;
  rank.engine->Attach(Alone());
  const Request request = MakeTestRequest(1, 5, 12);
  ASSERT_TRUE(rank.Submit(request).ok());
  const Stream stream = rank.sink.WaitForEnd(request.key);
  EXPECT_TRUE(stream.ids == ReferenceTokens(request));
  EXPECT_EQ(stream.ids.size(), 12u);
  EXPECT_TRUE(stream.finished);
  EXPECT_EQ(stream.reason, FinishReason::kLength);
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, StopTokenEndsAndIsIncluded) {
  TestRank rank;
  rank.engine->Attach(Alone());
  Request request = MakeTestRequest(1, 5, 200);
  request.stop_tokens = {3, ReferenceTokens(request)[17]};
  const std::vector<TokenId> expected = ReferenceTokens(request);
  ASSERT_LE(expected.size(), 18u);
  ASSERT_TRUE(rank.Submit(request).ok());
  const Stream stream = rank.sink.WaitForEnd(request.key);
  EXPECT_TRUE(stream.ids == expected);
  EXPECT_EQ(stream.reason, FinishReason::kStop);
}

TEST(EngineTest, ADenseModelNeedsNoExchange) {
  TestRank rank;
  Group group = Alone();
  group.exchange = nullptr;
  rank.engine->Attach(std::move(group));
  const Request request = MakeTestRequest(2, 100, 30);
  ASSERT_TRUE(rank.Submit(request).ok());
  EXPECT_TRUE(rank.sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
}

TEST(EngineTest, ManyGenerationsThroughFewBlocksAndSmallSteps) {
  // Prompts are cut to 9 rows a step and only some requests fit at a time.
  TestRank rank({.max_sequences = 5, .max_batch_tokens = 9, .kv_blocks = 7});
  rank.engine->Attach(Alone());
  std::vector<Request> requests;
  for (int i = 0; i < 40; ++i) {
    requests.push_back(MakeTestRequest(i, 1 + i * 13 % 150, 1 + i * 7 % 60));
    ASSERT_TRUE(rank.Submit(requests.back()).ok());
  }
  for (const Request& request : requests) {
    EXPECT_TRUE(rank.sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
  }
  EXPECT_TRUE(rank.sink.violations().empty());
  rank.engine->Drain(absl::InfiniteFuture());
  EXPECT_EQ(rank.engine->load().kv_blocks_free, 7);
  EXPECT_EQ(rank.engine->load().running, 0);
  EXPECT_EQ(rank.engine->load().waiting, 0);
}

TEST(EngineTest, JournalContinuesWithTheSameTokens) {
  TestRank rank;
  rank.engine->Attach(Alone());
  for (int seed : {4, 5}) {  // greedy and sampled
    const Request whole = MakeTestRequest(seed, 70, 40);
    const std::vector<TokenId> expected = ReferenceTokens(whole);
    for (int cut : {1, 20, 39}) {
      Request rest = whole;
      rest.key.attempt = cut;
      rest.emitted.assign(expected.begin(), expected.begin() + cut);
      ASSERT_TRUE(rank.Submit(rest).ok());
      const Stream stream = rank.sink.WaitForEnd(rest.key);
      EXPECT_TRUE(stream.ids == std::vector<TokenId>(expected.begin() + cut, expected.end()));
    }
  }
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, JournalSaboteur) {
  // The law's test can fail: one emitted token altered, and the rest differs.
  TestRank rank;
  rank.engine->Attach(Alone());
  Request rest = MakeTestRequest(5, 70, 40);
  const std::vector<TokenId> expected = ReferenceTokens(rest);
  rest.emitted.assign(expected.begin(), expected.begin() + 20);
  rest.emitted[3] = (rest.emitted[3] + 1) % 100;
  ASSERT_TRUE(rank.Submit(rest).ok());
  EXPECT_FALSE(rank.sink.WaitForEnd(rest.key).ids ==
               std::vector<TokenId>(expected.begin() + 20, expected.end()));
}

TEST(StreamCheckerTest, FindsWhatBreaksTheStreamLaw) {
  const auto violations = [](std::vector<StepOutput> outputs) {
    StreamChecker sink;
    sink.Expect(MakeTestRequest(1, 5, 9));
    for (StepOutput& output : outputs) output.key = MakeTestRequest(1, 5, 9).key;
    sink.OnStep(1, std::move(outputs));
    return sink.violations().size();
  };
  const StepOutput first{.position = 5, .ids = {1}}, second{.position = 6, .ids = {2}};
  const StepOutput last{.position = 6, .ids = {2}, .finished = true};
  EXPECT_EQ(violations({first, last}), 0u);
  EXPECT_EQ(violations({second}), 1u);               // a gap
  EXPECT_EQ(violations({first, first}), 1u);         // a duplicate
  EXPECT_GE(violations({first, last, last}), 1u);    // two terminals
  EXPECT_GE(violations({first, last, second}), 1u);  // more after it
}

TEST(EngineTest, NanEndsOneGenerationAndNoOther) {
  TestRank rank;
  rank.engine->Attach(Alone());
  const Request good = MakeTestRequest(1, 10, 50);
  Request bad = MakeTestRequest(2, 10, 50);
  bad.prompt[3] = FakeModel::kPoison;
  ASSERT_TRUE(rank.Submit(good).ok());
  ASSERT_TRUE(rank.Submit(bad).ok());
  const Stream ended = rank.sink.WaitForEnd(bad.key);
  EXPECT_TRUE(absl::IsInternal(ended.error)) << ended.error;
  EXPECT_TRUE(ended.ids.empty());
  EXPECT_TRUE(rank.sink.WaitForEnd(good.key).ids == ReferenceTokens(good));
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, CancelEndsAtOnceAndFreesKv) {
  TestRank rank;
  rank.engine->Attach(Alone());
  const Request request = MakeTestRequest(3, 10, 1900);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.sink.WaitForTokens(3);
  rank.engine->Cancel(request.key);
  rank.engine->Cancel(request.key);
  rank.engine->Cancel({"nobody", 0});
  const Stream stream = rank.sink.WaitForEnd(request.key);
  EXPECT_EQ(stream.reason, FinishReason::kCancelled);
  EXPECT_LT(stream.ids.size(), 1900u);
  rank.engine->Drain(absl::InfiniteFuture());
  EXPECT_EQ(rank.engine->load().kv_blocks_free, 256);
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, DeadlineKeepsWhatThereIs) {
  FakeClock clock;
  TestRank rank({}, clock);
  rank.model.on_forward = [&clock] { clock.Advance(absl::Milliseconds(100)); };
  rank.engine->Attach(Alone());
  Request request = MakeTestRequest(3, 10, 1900);
  request.deadline = clock.Now() + absl::Milliseconds(1050);
  ASSERT_TRUE(rank.Submit(request).ok());
  const Stream stream = rank.sink.WaitForEnd(request.key);
  EXPECT_EQ(stream.reason, FinishReason::kTimeLimit);
  // Ten steps of 0.1 s fit; an eleventh would end too late and is not begun.
  EXPECT_EQ(stream.ids.size(), 10u);
}

TEST(EngineTest, DeadlineEndsAGenerationThatWaitsForAGroup) {
  FakeClock clock;
  TestRank rank({}, clock);
  rank.engine->Attach(Alone());
  Request request = MakeTestRequest(3, 10, 1900);
  request.deadline = clock.Now() + absl::Seconds(60);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.sink.WaitForTokens(2);
  rank.engine->Detach(absl::AbortedError("a new epoch"));
  clock.Advance(absl::Seconds(61));
  EXPECT_EQ(rank.sink.WaitForEnd(request.key).reason, FinishReason::kTimeLimit);
}

TEST(EngineTest, RefusesWithBothValues) {
  TestRank rank({.max_sequences = 4, .max_batch_tokens = 16, .kv_blocks = 3});
  const auto refusal = [&](void (*spoil)(Request&)) {
    Request request = MakeTestRequest(1, 5, 5);
    spoil(request);
    const absl::Status status = rank.engine->Submit(request);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(refusal([](Request& r) { r.prompt.clear(); }), "prompt is empty");
  EXPECT_EQ(refusal([](Request& r) { r.prompt[2] = 101; }),
            "prompt[2] is not a token of the vocabulary of 101");
  EXPECT_EQ(refusal([](Request& r) {
              r.emitted = {1, -1};
            }),
            "emitted[1] is not a token of the vocabulary of 101");
  EXPECT_EQ(refusal([](Request& r) {
              r.emitted = {1, 2, 3, 4, 5};
            }),
            "max_output_tokens is 5, it must exceed the 5 tokens emitted");
  EXPECT_EQ(refusal([](Request& r) { r.max_output_tokens = 1996; }),
            "prompt of 5 tokens and max_output_tokens of 1996 exceed the model's 2000 positions");
  EXPECT_EQ(refusal([](Request& r) { r.max_output_tokens = 189; }),
            "prompt of 5 tokens and max_output_tokens of 189 need 4 KV blocks, the whole pool "
            "has 3");
  EXPECT_EQ(refusal([](Request& r) { r.emitted = r.stop_tokens = {9}; }),
            "emitted ends with one of stop_tokens: the generation is over");
  EXPECT_EQ(refusal([](Request& r) { r.sampling.top_p = 0; }),
            "top_p is 0, it must be above 0 and at most 1");
}

TEST(EngineTest, OptionsAreChecked) {
  TestRank rank;
  const auto create = [&](const EngineOptions& options) {
    return Engine::Create(options, rank.model, *rank.device, RealClock::Get(), rank.metrics,
                          rank.sink)
        .status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(create({.max_sequences = 0})));
  EXPECT_TRUE(absl::IsInvalidArgument(create({.max_waiting = 0})));
  EXPECT_TRUE(absl::IsInvalidArgument(create({.max_sequences = 9, .max_batch_tokens = 8})));
  EXPECT_TRUE(absl::IsInvalidArgument(create({.kv_blocks = 0})));
}

TEST(EngineTest, RefusesWithoutAGroupWhenFullWhenKnownAndWhenDraining) {
  TestRank rank({.max_sequences = 1, .max_waiting = 2, .max_batch_tokens = 8});
  EXPECT_TRUE(absl::IsUnavailable(rank.engine->Submit(MakeTestRequest(0, 5, 5))));
  absl::Notification go;
  rank.model.on_forward = [&go] { go.WaitForNotification(); };
  rank.engine->Attach(Alone());
  ASSERT_TRUE(rank.Submit(MakeTestRequest(0, 5, 50)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(rank.engine->Submit(MakeTestRequest(0, 5, 50))));
  while (rank.engine->load().running == 0) std::this_thread::yield();
  EXPECT_TRUE(rank.Submit(MakeTestRequest(1, 5, 50)).ok());
  EXPECT_TRUE(rank.Submit(MakeTestRequest(2, 5, 50)).ok());
  EXPECT_EQ(rank.engine->Submit(MakeTestRequest(3, 5, 50)),
            absl::ResourceExhaustedError("2 generations wait, max_waiting is 2"));
  go.Notify();
  rank.engine->Drain(absl::InfiniteFuture());
  EXPECT_TRUE(absl::IsUnavailable(rank.engine->Submit(MakeTestRequest(9, 5, 5))));
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, DrainEndsTheRestAtItsDeadline) {
  TestRank rank;
  rank.engine->Attach(Alone());
  const Request request = MakeTestRequest(1, 5, 1900);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.sink.WaitForTokens(1);
  rank.engine->Drain(absl::InfinitePast());
  const Stream stream = rank.sink.WaitForEnd(request.key);
  EXPECT_TRUE(stream.finished || absl::IsUnavailable(stream.error));
}

TEST(EngineTest, FailAllEndsEverything) {
  TestRank rank({.max_sequences = 2, .max_batch_tokens = 8});
  rank.engine->Attach(Alone());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rank.Submit(MakeTestRequest(i, 5, 1900)).ok());
  rank.sink.WaitForTokens(1);
  rank.engine->FailAll(absl::UnavailableError("its router is gone"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(rank.sink.WaitForEnd(MakeTestRequest(i, 5, 1).key).error,
              absl::UnavailableError("its router is gone"));
  }
  const Request after = MakeTestRequest(77, 5, 5);
  ASSERT_TRUE(rank.Submit(after).ok());
  EXPECT_TRUE(rank.sink.WaitForEnd(after.key).ids == ReferenceTokens(after));
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, ADeviceFaultDropsThePassAndNothingElse) {
  TestRank rank;
  rank.engine->Attach(Alone());
  const Request request = MakeTestRequest(6, 90, 60);
  rank.fail_next_finish = true;
  ASSERT_TRUE(rank.Submit(request).ok());
  while (rank.engine->group_status().ok()) std::this_thread::yield();
  EXPECT_TRUE(absl::IsInternal(rank.engine->group_status()));
  EXPECT_FALSE(rank.engine->load().attached);
  EXPECT_TRUE(absl::IsUnavailable(rank.engine->Submit(MakeTestRequest(7, 5, 5))));
  EXPECT_EQ(rank.sink.tokens(), 0);
  rank.engine->Detach(absl::AbortedError("a new epoch"));
  EXPECT_TRUE(absl::IsInternal(rank.engine->group_status()));
  rank.engine->Attach(Alone());
  EXPECT_TRUE(rank.engine->group_status().ok());
  EXPECT_TRUE(rank.sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
}

TEST(EngineTest, DyingInTheMiddleIsClean) {
  TestRank rank;
  rank.engine->Attach(Alone());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(rank.Submit(MakeTestRequest(i, 5, 1900)).ok());
  rank.sink.WaitForTokens(1);
  rank.engine.reset();
  EXPECT_TRUE(absl::IsUnavailable(rank.sink.WaitForEnd(MakeTestRequest(0, 1, 1).key).error));
  EXPECT_TRUE(rank.sink.violations().empty());
}

TEST(EngineTest, MetersTimeTokensAndExperts) {
  FakeClock clock;
  TestRank rank({}, clock);
  rank.model.on_forward = [&clock] { clock.Advance(absl::Milliseconds(1)); };
  rank.engine->Attach(Alone());
  const Request request = MakeTestRequest(2, 10, 5);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.sink.WaitForEnd(request.key);
  rank.engine->Drain(absl::InfiniteFuture());
  EXPECT_EQ(rank.metrics.prompt_tokens.Value(), 10);
  EXPECT_EQ(rank.metrics.output_tokens.Value(), 5);
  EXPECT_EQ(rank.metrics.steps.Value(), 5);
  EXPECT_EQ(rank.engine->load().steps, 5u);
  // 10 prompt rows and 4 decoded ones, in each of the layers.
  EXPECT_EQ(rank.metrics.expert_tokens[0][0]->Value(), 14);
  EXPECT_EQ(rank.metrics.expert_tokens[1][0]->Value(), 14);
  EXPECT_EQ(rank.metrics.kv_used.Value(), 0);
  EXPECT_EQ(rank.metrics.kv_free.Value(), 256);
}

}  // namespace
}  // namespace shoal
