#include "tools/loadgen/trace.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"

namespace shoal::loadgen {
namespace {

TEST(TraceTest, ReadsLinesAndSkipsComments) {
  const auto trace =
      ParseTrace("t", "# seconds prompt output\n0 12 3\r\n\n0.25\t7   9\n  \n1e1 1 1");
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->size(), 3u);
  EXPECT_EQ((*trace)[0].prompt_tokens, 12);
  EXPECT_EQ((*trace)[1].arrival, absl::Milliseconds(250));
  EXPECT_EQ((*trace)[1].output_tokens, 9);
  EXPECT_EQ((*trace)[2].arrival, absl::Seconds(10));
}

TEST(TraceTest, RefusesByLineWordAndBound) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "t: no request in 1 lines"},
      {"# nothing\n", "t: no request in 2 lines"},
      {"0 1 1\n0.5 3", "t:2: 2 words, expected 3: ARRIVAL_SECONDS PROMPT_TOKENS OUTPUT_TOKENS"},
      {"0 1 1 1", "t:1: 4 words, expected 3"},
      {"soon 1 1", "t:1: arrival \"soon\" is not a number"},
      {"-1 1 1", "t:1: arrival -1 s is outside [0, 604800]"},
      {"nan 1 1", "t:1: arrival nan s is outside [0, 604800]"},
      {"1e300 1 1", "t:1: arrival 1e+300 s is outside"},
      {"#\n2 1 1\n1.5 1 1", "t:3: arrival 1.5 s is before the 2 s of the request above"},
      {"0 0 1", "t:1: prompt tokens 0 is outside [1, 16777216]"},
      {"0 1 -4", "t:1: output tokens -4 is outside [1, 16777216]"},
      {"0 1.5 1", "t:1: prompt tokens \"1.5\" is not an integer"},
      {"0 99999999999999999999 1", "t:1: prompt tokens \"99999999999999999999\" is not an integer"},
  };
  for (const auto& [text, message] : cases) {
    const auto trace = ParseTrace("t", text);
    EXPECT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_TRUE(absl::StrContains(trace.status().message(), message)) << trace.status();
  }
}

TEST(TraceTest, AMissingFileIsNamed) {
  const auto trace = ReadTrace(testing::TempDir() + "/none");
  EXPECT_EQ(trace.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(trace.status().message(), "/none: cannot be read"));
}

}  // namespace
}  // namespace shoal::loadgen
