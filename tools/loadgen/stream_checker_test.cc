// A right stream passes; each of its saboteurs is found, and named.

#include "tools/loadgen/stream_checker.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace shoal::loadgen {
namespace {

using Events = std::vector<v1::GenerateEvent>;

constexpr StreamChecker::Expected kExpected = {
    .prompt_tokens = 5, .max_output_tokens = 6, .seed = 77, .vocab_size = 512, .deadline = true};

// Started, three deltas of two ids, Finish(LENGTH).
Events RightStream() {
  Events events(5);
  for (size_t i = 0; i < events.size(); ++i) events[i].set_seq(i);
  events[0].mutable_started()->set_seed(77);
  events[0].mutable_started()->set_prompt_tokens(5);
  for (size_t i = 1; i < 4; ++i) {
    events[i].mutable_text_delta()->add_token_ids(static_cast<int32_t>(i));
    events[i].mutable_text_delta()->add_token_ids(511);
  }
  v1::Finish* finish = events[4].mutable_finish();
  finish->set_reason(v1::LENGTH);
  finish->mutable_usage()->set_prompt_tokens(5);
  finish->mutable_usage()->set_output_tokens(6);
  return events;
}

std::string Checked(const Events& events, const absl::Status& status = absl::OkStatus(),
                    bool cancelled = false, StreamChecker::Expected expected = kExpected) {
  StreamChecker checker(expected);
  for (const v1::GenerateEvent& event : events) checker.OnEvent(event);
  checker.OnStatus(status, cancelled);
  return checker.violation();
}

// Gives the events their seq anew.
void Renumber(Events& events) {
  for (size_t i = 0; i < events.size(); ++i) events[i].set_seq(i);
}

TEST(StreamCheckerTest, RightStreamsPass) {
  EXPECT_EQ(Checked(RightStream()), "");
  Events stopped = RightStream();  // the end token is counted, not shown
  stopped.erase(stopped.begin() + 3);
  Renumber(stopped);
  stopped[3].mutable_finish()->set_reason(v1::STOP);
  stopped[3].mutable_finish()->mutable_usage()->set_output_tokens(5);
  EXPECT_EQ(Checked(stopped), "");
  Events reasoning = RightStream();
  *reasoning[1].mutable_reasoning_delta() = v1::TextDelta(reasoning[1].text_delta());
  EXPECT_EQ(Checked(reasoning), "");
}

TEST(StreamCheckerTest, RefusalsAndCutStreamsPass) {
  EXPECT_EQ(Checked({}, absl::ResourceExhaustedError("")), "");
  Events cut = RightStream();
  cut.resize(3);
  EXPECT_EQ(Checked(cut, absl::UnavailableError("")), "");
  EXPECT_EQ(Checked(cut, absl::CancelledError(""), true), "");
  EXPECT_EQ(Checked(RightStream(), absl::CancelledError(""), true), "");
  EXPECT_EQ(Checked(RightStream(), absl::DeadlineExceededError("")), "");
}

TEST(StreamCheckerTest, EverySaboteurIsFound) {
  struct Saboteur {
    const char* what;
    std::function<void(Events&)> spoil;
  };
  const Saboteur saboteurs[] = {
      {"seq 3, expected 2", [](Events& e) { e.erase(e.begin() + 2); }},
      {"seq 1, expected 2", [](Events& e) { e.insert(e.begin() + 1, e[1]); }},
      {"seq 2, expected 1", [](Events& e) { std::swap(e[1], e[2]); }},
      {"seq 1, expected 0",
       [](Events& e) {
         for (auto& event : e) event.set_seq(event.seq() + 1);
       }},
      {"event 0 is there before Started",
       [](Events& e) {
         e.erase(e.begin());
         Renumber(e);
       }},
      {"Started twice",
       [](Events& e) {
         e.insert(e.begin() + 2, e[0]);
         Renumber(e);
       }},
      {"Started.seed is 78, asked for 77", [](Events& e) { e[0].mutable_started()->set_seed(78); }},
      {"Started.prompt_tokens is 4, sent were 5",
       [](Events& e) { e[0].mutable_started()->set_prompt_tokens(4); }},
      {"a token id outside the vocabulary of 512",
       [](Events& e) { e[1].mutable_text_delta()->set_token_ids(0, 512); }},
      {"a token id outside the vocabulary of 512",
       [](Events& e) { e[1].mutable_text_delta()->set_token_ids(0, -1); }},
      {"7 output tokens, asked for at most 6",
       [](Events& e) { e[2].mutable_text_delta()->add_token_ids(3); }},
      {"usage.output_tokens is 6, counted were 5, finish LENGTH",
       [](Events& e) { e[2].mutable_text_delta()->mutable_token_ids()->RemoveLast(); }},
      {"usage.output_tokens is 5, counted were 6",
       [](Events& e) { e[4].mutable_finish()->mutable_usage()->set_output_tokens(5); }},
      {"usage.output_tokens is 8, counted were 6, finish STOP",
       [](Events& e) {
         e[4].mutable_finish()->set_reason(v1::STOP);
         e[4].mutable_finish()->mutable_usage()->set_output_tokens(8);
       }},
      {"usage.prompt_tokens is 6, Started said 5",
       [](Events& e) { e[4].mutable_finish()->mutable_usage()->set_prompt_tokens(6); }},
      {"LENGTH after 4 output tokens, asked for 6",
       [](Events& e) {
         e.erase(e.begin() + 2);
         Renumber(e);
         e[3].mutable_finish()->mutable_usage()->set_output_tokens(4);
       }},
      {"the finish reason 0 does not belong",
       [](Events& e) { e[4].mutable_finish()->set_reason(v1::FINISH_REASON_UNSPECIFIED); }},
      {"the finish reason 3 does not belong",
       [](Events& e) { e[4].mutable_finish()->set_reason(v1::TOOL_CALLS); }},
      {"a tool call in Generate", [](Events& e) { e[1].mutable_tool_call_delta(); }},
      {"event 1 is of no known kind", [](Events& e) { e[1].clear_event(); }},
      {"an event, seq 5, after Finish",
       [](Events& e) {
         e.push_back(e[1]);
         e[5].set_seq(5);
       }},
      {"an event, seq 5, after Finish",
       [](Events& e) {
         e.push_back(e[4]);
         e[5].set_seq(5);
       }},
      {"OK after 4 events without Finish", [](Events& e) { e.pop_back(); }},
      {"OK after 0 events without Finish", [](Events& e) { e.clear(); }},
  };
  for (const Saboteur& saboteur : saboteurs) {
    Events events = RightStream();
    saboteur.spoil(events);
    const std::string found = Checked(events);
    EXPECT_TRUE(absl::StrContains(found, saboteur.what))
        << "\"" << found << "\" instead of \"" << saboteur.what << "\"";
  }
}

TEST(StreamCheckerTest, StatusesThatDoNotFit) {
  StreamChecker::Expected endless = kExpected;
  endless.deadline = false;
  EXPECT_EQ(Checked(RightStream(), absl::InternalError("")), "INTERNAL after Finish");
  EXPECT_EQ(Checked(RightStream(), absl::CancelledError(""), false), "CANCELLED after Finish");
  EXPECT_EQ(Checked(RightStream(), absl::DeadlineExceededError(""), false, endless),
            "DEADLINE_EXCEEDED after Finish");
  Events limited = RightStream();
  limited[4].mutable_finish()->set_reason(v1::TIME_LIMIT);
  EXPECT_EQ(Checked(limited), "");
  EXPECT_EQ(Checked(limited, absl::OkStatus(), false, endless),
            "TIME_LIMIT of a request without a deadline");
}

}  // namespace
}  // namespace shoal::loadgen
