#include "services/router/session/outbox.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace shoal {
namespace {

v1::GenerateEvent Text(const std::string& text, int tokens = 1) {
  v1::GenerateEvent event;
  event.mutable_text_delta()->set_text(text);
  for (int i = 0; i < tokens; ++i) event.mutable_text_delta()->add_token_ids(i);
  return event;
}

v1::GenerateEvent Reasoning(const std::string& text) {
  v1::GenerateEvent event;
  event.mutable_reasoning_delta()->set_text(text);
  event.mutable_reasoning_delta()->add_token_ids(7);
  return event;
}

v1::GenerateEvent Call(int index, const std::string& name, const std::string& arguments) {
  v1::GenerateEvent event;
  event.mutable_tool_call_delta()->set_index(index);
  event.mutable_tool_call_delta()->set_name(name);
  event.mutable_tool_call_delta()->set_arguments(arguments);
  return event;
}

TEST(OutboxTest, MergesWhatWaitsAndNumbersWhatLeaves) {
  Outbox outbox(100);
  v1::GenerateEvent started;
  started.mutable_started();
  ASSERT_TRUE(outbox.Push(started));
  ASSERT_TRUE(outbox.Push(Reasoning("a")));
  ASSERT_TRUE(outbox.Push(Reasoning("b")));
  ASSERT_TRUE(outbox.Push(Text("c")));
  ASSERT_TRUE(outbox.Push(Text("d", 2)));
  outbox.End(absl::OkStatus());

  EXPECT_EQ(outbox.TryTake().event->seq(), 0u);
  const auto reasoning = outbox.TryTake();
  EXPECT_EQ(reasoning.event->seq(), 1u);
  EXPECT_EQ(reasoning.event->reasoning_delta().text(), "ab");
  EXPECT_EQ(reasoning.event->reasoning_delta().token_ids_size(), 2);
  const auto text = outbox.TryTake();
  EXPECT_EQ(text.event->seq(), 2u);
  EXPECT_EQ(text.event->text_delta().text(), "cd");
  EXPECT_EQ(text.event->text_delta().token_ids_size(), 3);
  const auto end = outbox.TryTake();
  EXPECT_FALSE(end.event.has_value());
  EXPECT_EQ(end.end, absl::OkStatus());
}

TEST(OutboxTest, PiecesOfOneToolCallMerge) {
  Outbox outbox(100);
  ASSERT_TRUE(outbox.Push(Call(0, "f", "")));
  ASSERT_TRUE(outbox.Push(Call(0, "", "{\"x\"")));
  ASSERT_TRUE(outbox.Push(Call(0, "", ": 1}")));
  ASSERT_TRUE(outbox.Push(Call(1, "f", "")));
  ASSERT_TRUE(outbox.Push(Call(1, "", "{}")));
  const auto first = outbox.TryTake();
  EXPECT_EQ(first.event->tool_call_delta().name(), "f");
  EXPECT_EQ(first.event->tool_call_delta().arguments(), "{\"x\": 1}");
  const auto second = outbox.TryTake();
  EXPECT_EQ(second.event->seq(), 1u);
  EXPECT_EQ(second.event->tool_call_delta().index(), 1);
  EXPECT_EQ(second.event->tool_call_delta().arguments(), "{}");
  EXPECT_FALSE(outbox.TryTake().event.has_value());
}

TEST(OutboxTest, NothingThereIsNeitherEventNorEnd) {
  Outbox outbox(100);
  const auto item = outbox.TryTake();
  EXPECT_FALSE(item.event.has_value());
  EXPECT_FALSE(item.end.has_value());
}

TEST(OutboxTest, OnlyTheFirstEndCounts) {
  Outbox outbox(100);
  outbox.End(absl::UnavailableError("first"));
  outbox.End(absl::OkStatus());
  EXPECT_EQ(outbox.TryTake().end, absl::UnavailableError("first"));
}

TEST(OutboxTest, ASlowReaderIsNoticed) {
  Outbox outbox(3);
  EXPECT_TRUE(outbox.Push(Text("a", 3)));
  EXPECT_FALSE(outbox.Push(Text("b")));
}

TEST(OutboxTest, ASlowReaderOfToolCallsIsNoticed) {
  Outbox outbox(3);
  EXPECT_TRUE(outbox.Push(Call(0, "f", "")));
  EXPECT_TRUE(outbox.Push(Call(0, "", "{")));
  EXPECT_TRUE(outbox.Push(Call(0, "", "}")));
  EXPECT_FALSE(outbox.Push(Call(0, "", " ")));
  EXPECT_TRUE(outbox.TryTake().event.has_value());
  EXPECT_TRUE(outbox.Push(Call(0, "", " ")));
}

TEST(OutboxTest, AReaderThatCatchesUpIsNot) {
  Outbox outbox(3);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(outbox.Push(Text("a", 3)));
    EXPECT_TRUE(outbox.TryTake().event.has_value());
  }
}

TEST(OutboxTest, WakesOnEveryPushUntilDetached) {
  Outbox outbox(100);
  int wakes = 0;
  outbox.Attach([&] { ++wakes; });
  EXPECT_EQ(wakes, 1);  // something may be there already
  ASSERT_TRUE(outbox.Push(Text("a")));
  outbox.End(absl::OkStatus());
  EXPECT_EQ(wakes, 3);
  outbox.Detach();
  outbox.End(absl::OkStatus());
  EXPECT_EQ(wakes, 3);
}

}  // namespace
}  // namespace shoal
