#include "runtime/base/logging.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/fake_clock.h"

namespace shoal {
namespace {

TEST(Logger, WritesOneLineOfFields) {
  CaptureSink sink;
  FakeClock clock;
  Logger log(sink, LogLevel::kInfo, clock);
  log.Info("rank joined", {{"rank", 3},
                           {"epoch", uint64_t{18446744073709551615u}},
                           {"ready", true},
                           {"share", 0.25},
                           {"address", "127.0.0.1:5001"},
                           {"took", absl::Milliseconds(12)},
                           {"status", absl::NotFoundError("no shard 3")}});
  ASSERT_EQ(sink.lines().size(), 1u);
  EXPECT_EQ(sink.lines()[0],
            "ts=2023-11-14T22:13:20.000000Z level=info event=\"rank joined\" rank=3 "
            "epoch=18446744073709551615 ready=true share=0.25 address=127.0.0.1:5001 took=12ms "
            "status=\"NOT_FOUND: no shard 3\"\n");
}

TEST(Logger, DropsLinesBelowItsThreshold) {
  CaptureSink sink;
  Logger log(sink, LogLevel::kWarning);
  log.Debug("a");
  log.Info("b");
  log.Warning("c");
  log.Error("d");
  ASSERT_EQ(sink.lines().size(), 2u);
  EXPECT_NE(sink.lines()[0].find("level=warning event=c"), std::string::npos);
  EXPECT_NE(sink.lines()[1].find("level=error event=d"), std::string::npos);
}

TEST(Logger, TextCannotForgeALineOrAField) {
  CaptureSink sink;
  Logger log(sink);
  log.Info("x", {{"path", "a\nts=0 level=error"}, {"name", "b\" rank=9"}, {"empty", ""}});
  ASSERT_EQ(sink.lines().size(), 1u);
  const std::string line = sink.lines()[0];
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NE(line.find(R"(path="a\nts=0 level=error")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(name="b\" rank=9")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(empty="")"), std::string::npos) << line;
}

TEST(Logger, LongTextIsCut) {
  CaptureSink sink;
  Logger log(sink);
  log.Info("x", {{"path", std::string(1001, 'a')}});
  EXPECT_NE(sink.lines()[0].find("=\"" + std::string(256, 'a') + "...\"\n"), std::string::npos);
}

TEST(Logger, LinesOfManyThreadsStayWhole) {
  CaptureSink sink;
  Logger log(sink);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 101; ++i) log.Info("tick", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sink.lines().size(), 303u);
  for (const std::string& line : sink.lines()) EXPECT_EQ(line.find('\n'), line.size() - 1);
}

// The privacy law, held by the type system.
TEST(Redacted, ConvertsToNothingThatCanBeLoggedOrPrinted) {
  using Text = Redacted<std::string>;
  using Ids = Redacted<std::vector<int32_t>>;
  EXPECT_FALSE((std::is_constructible_v<LogValue, Text>));
  EXPECT_FALSE((std::is_constructible_v<LogValue, Ids>));
  EXPECT_FALSE((std::is_constructible_v<LogValue, std::vector<int32_t>>));
  EXPECT_FALSE((std::is_convertible_v<Text, std::string>));
  EXPECT_FALSE((std::is_convertible_v<Text, absl::string_view>));
  EXPECT_FALSE(internal::Streamable<Text>);
  EXPECT_TRUE((std::is_constructible_v<LogValue, std::string>));
  EXPECT_TRUE(internal::Streamable<std::string>);
}

TEST(Redacted, GivesItsValueToWhoeverAsksForIt) {
  Redacted<std::string> prompt("what is 2 + 2?");
  EXPECT_EQ(prompt.Reveal(), "what is 2 + 2?");
  prompt.Reveal() += " please";
  EXPECT_FALSE(prompt == Redacted<std::string>("what is 2 + 2?"));
  const std::string taken = std::move(prompt).Reveal();
  EXPECT_EQ(taken, "what is 2 + 2? please");
}

}  // namespace
}  // namespace shoal
