#include "tools/loadgen/workload.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace shoal::loadgen {
namespace {

v1::Model SmallModel() {
  v1::Model model;
  model.set_vocab_size(512);
  model.set_max_positions(4096);
  model.mutable_limits()->set_max_output_tokens(1000);
  return model;
}

WorkloadSpec Spec(uint64_t seed = 7) {
  WorkloadSpec spec = {.requests = 400, .seed = seed};
  spec.arrivals = *ParseArrivals("poisson:20");
  spec.prompt_tokens = *ParseLengths("prompt_tokens", "uniform:5:50");
  spec.output_tokens = *ParseLengths("output_tokens", "lognormal:20:0.6:100");
  return spec;
}

Workload Made(const WorkloadSpec& spec, std::vector<TraceLine> trace = {}) {
  auto workload = Workload::Create(spec, std::move(trace), SmallModel());
  EXPECT_TRUE(workload.ok()) << workload.status();
  return *std::move(workload);
}

// Every knob moves the digest, so that one digest means one workload; nothing else does.
TEST(WorkloadTest, TheDigestIsOfAllThatIsAsked) {
  std::vector<WorkloadSpec> specs(9, Spec());
  specs[1].seed = 8;
  specs[2].arrivals = *ParseArrivals("poisson:21");
  specs[3].prompt_tokens = *ParseLengths("prompt_tokens", "uniform:5:51");
  specs[4].prefixes = *ParsePrefixes("3:10");
  specs[5].cancels = *ParseCancels("0.5:3");
  specs[6].slow_readers = *ParseSlowReaders("0.5:10");
  specs[7].text_prompts = true;
  specs[8].deadline = absl::Seconds(1);
  std::set<std::string> digests;
  for (const WorkloadSpec& spec : specs) digests.insert(Made(spec).Digest(400));
  EXPECT_EQ(digests.size(), specs.size());
  EXPECT_EQ(Made(Spec()).Digest(400), Made(Spec()).Digest(400));
  EXPECT_NE(Made(Spec()).Digest(399), Made(Spec()).Digest(400));
}

// The workload of a seed is the same in every build and on every machine.
TEST(WorkloadTest, TheDigestIsKnown) {
  WorkloadSpec spec = Spec();
  spec.prefixes = *ParsePrefixes("3:10");
  EXPECT_EQ(Made(spec).Digest(400).substr(0, 16), "20720e8786dee769");
}

TEST(WorkloadTest, PromptsHaveTheirLengthAndValidIds) {
  const Workload workload = Made(Spec());
  std::set<int32_t> seen;
  for (int64_t i = 0; i < 400; ++i) {
    const PlannedRequest planned = workload.At(i);
    const v1::GenerateRequest request = workload.RequestFor(planned);
    ASSERT_EQ(request.token_ids().ids_size(), planned.prompt_tokens);
    ASSERT_EQ(request.stop().max_output_tokens(), planned.output_tokens);
    for (const int32_t id : request.token_ids().ids()) {
      ASSERT_TRUE(id >= 0 && id < 512);
      seen.insert(id);
    }
  }
  EXPECT_EQ(seen.size(), 512u);
}

TEST(WorkloadTest, PrefixesAreSharedWithinAGroupAndAdded) {
  WorkloadSpec spec = Spec();
  spec.prefixes = *ParsePrefixes("3:10");
  const Workload workload = Made(spec);
  std::vector<std::set<std::vector<int32_t>>> begins(3), rests(3);
  for (int64_t i = 0; i < 100; ++i) {
    const PlannedRequest planned = workload.At(i);
    const v1::GenerateRequest request = workload.RequestFor(planned);
    const auto& ids = request.token_ids().ids();
    const auto group = static_cast<size_t>(planned.prefix_group.value());
    begins[group].emplace(ids.begin(), ids.begin() + 10);
    EXPECT_TRUE(rests[group].emplace(ids.begin() + 10, ids.end()).second);
    EXPECT_GE(ids.size(), 15);
  }
  for (const auto& group : begins) EXPECT_EQ(group.size(), 1u);
  EXPECT_NE(begins[0], begins[1]);
}

TEST(WorkloadTest, SharesAreAsAsked) {
  WorkloadSpec spec = Spec();
  spec.requests = 10'000;
  spec.cancels = *ParseCancels("0.25:3");
  spec.slow_readers = *ParseSlowReaders("0.1:20");
  const Workload workload = Made(spec);
  int cancels = 0, slow = 0, both = 0;
  for (int64_t i = 0; i < 10'000; ++i) {
    const PlannedRequest planned = workload.At(i);
    cancels += planned.cancel_after.has_value();
    slow += planned.tokens_per_second.has_value();
    both += planned.cancel_after.has_value() && planned.tokens_per_second.has_value();
  }
  // Five standard deviations.
  EXPECT_NEAR(cancels, 2500, 5 * std::sqrt(10'000 * 0.25 * 0.75));
  EXPECT_NEAR(slow, 1000, 5 * std::sqrt(10'000 * 0.1 * 0.9));
  EXPECT_NEAR(both, 250, 5 * std::sqrt(10'000 * 0.025 * 0.975));
}

TEST(WorkloadTest, TextCountsWords) {
  WorkloadSpec spec = Spec();
  spec.text_prompts = true;
  const Workload workload = Made(spec);
  const PlannedRequest planned = workload.At(3);
  const std::vector<std::string> words = absl::StrSplit(workload.RequestFor(planned).text(), ' ');
  EXPECT_EQ(std::ssize(words), planned.prompt_tokens);
}

TEST(WorkloadTest, ATraceGivesTimesAndLengths) {
  WorkloadSpec spec = Spec();
  spec.requests = 0;
  spec.arrivals = *ParseArrivals("trace:t");
  spec.prompt_tokens = *ParseLengths("prompt_tokens", "trace");
  const Workload workload =
      Made(spec, {{absl::ZeroDuration(), 10, 999}, {absl::Seconds(2), 30, 999}});
  EXPECT_EQ(workload.size(), 2);
  EXPECT_EQ(workload.At(1).arrival, absl::Seconds(2));
  EXPECT_EQ(workload.At(1).prompt_tokens, 30);
  EXPECT_LE(workload.At(1).output_tokens, 100);  // its own distribution, not the trace's
}

TEST(WorkloadTest, AnOpenLoopEndsByTime) {
  WorkloadSpec spec = Spec();
  spec.requests = 0;
  spec.duration = absl::Seconds(3);
  spec.arrivals = *ParseArrivals("constant:10");
  EXPECT_EQ(Made(spec).size(), 30);
  spec.arrivals = *ParseArrivals("closed:10");
  EXPECT_EQ(Made(spec).size(), std::nullopt);
}

TEST(WorkloadTest, RefusesContradictionsByNameAndBothValues) {
  const auto message = [](const WorkloadSpec& spec, std::vector<TraceLine> trace = {}) {
    const auto workload = Workload::Create(spec, std::move(trace), SmallModel());
    EXPECT_EQ(workload.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(workload.status().message());
  };
  WorkloadSpec spec = Spec();
  spec.requests = 0;
  EXPECT_EQ(message(spec), "--requests=0 and --duration=0: one of them must say when the run ends");
  spec.requests = -1;
  EXPECT_EQ(message(spec), "--requests=-1: outside [0, 10000000]");
  spec.requests = 3;
  spec.duration = absl::Seconds(5);
  EXPECT_EQ(message(spec), "--requests=3 and --duration=5s: give one of them");
  spec = Spec();
  spec.temperature = std::nan("");
  EXPECT_EQ(message(spec), "--temperature=nan: outside [0, 2]");
  spec = Spec();
  spec.deadline = -absl::Seconds(1);
  EXPECT_EQ(message(spec), "--deadline=-1s: outside [0, 168h]");
  spec = Spec();
  spec.output_tokens = *ParseLengths("output_tokens", "trace");
  EXPECT_EQ(message(spec), "--output_tokens=trace: --arrivals=poisson:20 has none");
  spec = Spec();
  spec.output_tokens = *ParseLengths("output_tokens", "fixed:1001");
  EXPECT_EQ(message(spec), "--output_tokens=fixed:1001: up to 1001, the model's limit is 1000");
  spec.output_tokens = *ParseLengths("output_tokens", "fixed:1000");
  spec.prefixes = *ParsePrefixes("1:3047");
  EXPECT_EQ(message(spec),
            "--prompt_tokens=uniform:5:50 and --output_tokens=fixed:1000 with a prefix of 3047: up "
            "to 4097 tokens, the model's context has 4096");
  spec = Spec();
  spec.arrivals = *ParseArrivals("trace:t");
  EXPECT_EQ(message(spec, {{absl::ZeroDuration(), 1, 1}}), "--requests=400: t has 1");
  spec = Spec();
  spec.requests = 0;
  spec.duration = absl::Nanoseconds(1);
  EXPECT_EQ(message(spec), "--duration=1ns: no request arrives within it");
  spec.duration = absl::Hours(1);
  spec.arrivals = *ParseArrivals("constant:100000");
  EXPECT_EQ(message(spec),
            "--duration=1h of --arrivals=constant:100000: 3.6e+08 requests, at most 10000000");
}

TEST(WorkloadTest, RefusesPartsByNameValueAndBound) {
  const std::pair<absl::Status, const char*> cases[] = {
      {ParsePrefixes("4").status(), "--prefixes=4: 1 words, expected 2 as in GROUPS:TOKENS"},
      {ParsePrefixes("0:10").status(), "--prefixes=0:10: GROUPS 0 is outside [1, 1048576]"},
      {ParseCancels("1.5:3").status(), "--cancels=1.5:3: SHARE 1.5 is outside [0, 1]"},
      {ParseCancels("0.5:-1").status(), "--cancels=0.5:-1: TOKENS -1 is outside [0, 16777216]"},
      {ParseSlowReaders("0.5:0").status(),
       "--slow_readers=0.5:0: TOKENS_PER_SECOND 0 is outside [0.001, 1e+06]"},
      {ParseSlowReaders("nan:5").status(), "--slow_readers=nan:5: SHARE nan is outside [0, 1]"},
  };
  for (const auto& [status, message] : cases) EXPECT_EQ(status.message(), message);
}

}  // namespace
}  // namespace shoal::loadgen
