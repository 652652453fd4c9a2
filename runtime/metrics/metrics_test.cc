// Every metric under `promtool check metrics`, which refuses names and helps
// that break Prometheus's conventions.

#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

#include "runtime/metrics/engine_metrics.h"
#include "runtime/metrics/process_metrics.h"
#include "runtime/metrics/router_metrics.h"

namespace shoal {
namespace {

std::string Text(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

// promtool's exit status: 0 is clean, 3 a finding, 127 that it is not there.
int Promtool(const std::string& text) {
  FILE* pipe = popen("promtool check metrics 1>&2", "w");
  if (pipe == nullptr) return -1;
  fwrite(text.data(), 1, text.size(), pipe);
  return WEXITSTATUS(pclose(pipe));
}

TEST(MetricsTest, WorkerIsCleanUnderPromtool) {
  prometheus::Registry registry;
  ProcessMetrics process(registry, "worker", "0.1");
  EngineMetrics engine(registry, 3, 16);
  engine.steps.Increment();
  engine.step_attend.Observe(0.001);
  engine.expert_tokens[2][15]->Increment(7);
  const std::string text = Text(registry);
  EXPECT_EQ(Promtool(text), 0);
  EXPECT_TRUE(absl::StrContains(text, "shoal_expert_tokens_total{expert=\"15\",layer=\"2\"} 7"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "shoal_kv_blocks{state=\"free\"} 0"));
  EXPECT_TRUE(absl::StrContains(text, "shoal_build_info{component=\"worker\",version=\"0.1\"} 1"));
}

TEST(MetricsTest, RouterIsCleanUnderPromtool) {
  prometheus::Registry registry;
  ProcessMetrics process(registry, "router", "0.1");
  RouterMetrics router(registry);
  router.CountRequest("Chat", absl::StatusCode::kOk, "STOP");
  router.ttft_seconds.Observe(0.2);
  const std::string text = Text(registry);
  EXPECT_EQ(Promtool(text), 0);
  EXPECT_TRUE(absl::StrContains(text,
                                "shoal_requests_total{code=\"OK\",finish_reason"
                                "=\"STOP\",method=\"Chat\"} 1"))
      << text;
}

TEST(MetricsTest, PromtoolFindsABadName) {
  prometheus::Registry registry;
  prometheus::BuildCounter().Name("shoal_bad").Register(registry).Add({});
  EXPECT_EQ(Promtool(Text(registry)), 3);
}

TEST(MetricsTest, LabelsAreBounded) {
  prometheus::Registry registry;
  RouterMetrics router(registry);
  for (int i = 0; i < 1000; ++i) {
    router.CountRequest(absl::StrCat("Made up ", i), absl::StatusCode::kOk,
                        absl::StrCat("reason ", i));
  }
  EXPECT_TRUE(absl::StrContains(Text(registry),
                                "{code=\"OK\",finish_reason=\"other\",method=\"other\"} 1000"));
}

}  // namespace
}  // namespace shoal
