// Whole runs against a server that keeps the contract, or breaks it on purpose.

#include "tools/loadgen/load_run.h"

#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "runtime/base/mutex.h"
#include "services/common/error.h"
#include "services/common/grpc_server.h"

namespace shoal::loadgen {
namespace {

using Writer = grpc::ServerWriter<v1::GenerateEvent>;

int64_t Count(const Report& report, const std::string& outcome) {
  const auto found = report.outcomes.find(outcome);
  return found == report.outcomes.end() ? 0 : found->second;
}

class OneModel : public v1::Models::Service {
  grpc::Status Get(grpc::ServerContext*, const v1::GetModelRequest*, v1::Model* model) override {
    model->set_name("script");
    model->set_vocab_size(100);
    model->set_max_positions(1000);
    return grpc::Status::OK;
  }
};

// Answers every request with as many tokens as it asks for, one per delta.
class ScriptedInference : public v1::Inference::Service {
 public:
  // May change an event, or leave it out by false.
  std::function<bool(v1::GenerateEvent&)> spoil = [](v1::GenerateEvent&) { return true; };
  std::function<absl::Status()> admit = [] { return absl::OkStatus(); };

  std::atomic<int> calls{0}, at_once{0}, most_at_once{0};

  void HoldAll(bool hold) {
    MutexLock lock(&mu_);
    held_ = hold;
    changed_.SignalAll();
  }

 private:
  grpc::Status Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                        Writer* writer) override {
    ++calls;
    if (const absl::Status admitted = admit(); !admitted.ok()) return ToGrpc(admitted);
    const int now = ++at_once;
    for (int most = most_at_once; most < now && !most_at_once.compare_exchange_weak(most, now);) {
    }
    Stream(*request, *writer);
    --at_once;
    MutexLock lock(&mu_);
    while (held_) changed_.Wait(&mu_);
    return grpc::Status::OK;
  }

  void Stream(const v1::GenerateRequest& request, Writer& writer) {
    const int tokens = request.stop().max_output_tokens();
    uint64_t seq = 0;
    const auto send = [&](v1::GenerateEvent event) {
      event.set_seq(seq++);
      if (spoil(event)) writer.Write(event);  // fails when the client has gone
    };
    v1::GenerateEvent started, finish;
    started.mutable_started()->set_seed(request.sampling().seed());
    started.mutable_started()->set_prompt_tokens(request.token_ids().ids_size());
    send(started);
    for (int i = 0; i < tokens; ++i) {
      v1::GenerateEvent delta;
      delta.mutable_text_delta()->add_token_ids(i % 100);
      send(delta);
    }
    finish.mutable_finish()->set_reason(v1::LENGTH);
    finish.mutable_finish()->mutable_usage()->set_prompt_tokens(request.token_ids().ids_size());
    finish.mutable_finish()->mutable_usage()->set_output_tokens(tokens);
    send(finish);
  }

  Mutex mu_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
};

class LoadRunTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = GrpcServer::Start({.listen = "127.0.0.1:0", .services = {&models_, &inference_}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    options_ = {.api = server_->address(),
                .workload = {.requests = 60, .seed = 5},
                .connections = 2,
                .max_lag = absl::Seconds(5)};
    SetArrivals("closed:4");
    options_.workload.prompt_tokens = *ParseLengths("prompt_tokens", "uniform:3:30");
    options_.workload.output_tokens = *ParseLengths("output_tokens", "uniform:4:12");
  }
  void TearDown() override {
    inference_.HoldAll(false);
    server_->Shutdown(absl::Seconds(5));
  }
  void SetArrivals(absl::string_view value) { options_.workload.arrivals = *ParseArrivals(value); }
  Report Run() {
    auto result = RunLoad(options_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->report : Report{};
  }

  OneModel models_;
  ScriptedInference inference_;
  std::unique_ptr<GrpcServer> server_;
  LoadOptions options_;
};

TEST_F(LoadRunTest, AClosedLoopKeepsItsConcurrency) {
  const Report report = Run();
  EXPECT_EQ(report.violations, 0) << report.first_violations[0].what;
  EXPECT_EQ(report.outcomes, (std::map<std::string, int64_t>{{"LENGTH", 60}}));
  EXPECT_EQ(report.e2e.count, 60);
  EXPECT_EQ(report.itl.count, report.output_tokens - 60);
  EXPECT_LE(inference_.most_at_once, 4);
  EXPECT_EQ(inference_.calls, 60);
}

// Nobody is answered, and still all are sent: an open loop does not wait for the server.
TEST_F(LoadRunTest, AnOpenLoopSendsWhateverTheServerDoes) {
  inference_.HoldAll(true);
  inference_.admit = [this] {
    if (inference_.calls == 20) inference_.HoldAll(false);  // only now may the first one end
    return absl::OkStatus();
  };
  options_.workload.requests = 20;
  SetArrivals("poisson:400");
  const Report report = Run();
  EXPECT_EQ(Count(report, "LENGTH"), 20);
  EXPECT_EQ(report.violations, 0);
}

TEST_F(LoadRunTest, AClosedLoopEndsByTime) {
  options_.workload.requests = 0;
  options_.workload.duration = absl::Milliseconds(200);
  const Report report = Run();
  EXPECT_GT(report.requests, 4);
  EXPECT_EQ(report.requests, inference_.calls);
  EXPECT_GE(report.seconds, 0.15);
}

TEST_F(LoadRunTest, CancelsAndSlowReaders) {
  options_.workload.cancels = *ParseCancels("0.3:2");
  options_.workload.slow_readers = *ParseSlowReaders("0.3:200");
  const Report report = Run();
  EXPECT_EQ(report.violations, 0) << report.first_violations[0].what;
  EXPECT_EQ(Count(report, "LENGTH") + Count(report, "cancelled"), 60);
  EXPECT_GT(Count(report, "cancelled"), 5);
  EXPECT_LT(report.undisturbed, 50);
  EXPECT_EQ(report.e2e.count, report.undisturbed);
}

TEST_F(LoadRunTest, CancelsBeforeAnythingCame) {
  options_.workload.cancels = *ParseCancels("1:0");
  const Report report = Run();
  EXPECT_EQ(Count(report, "cancelled"), 60);
  EXPECT_EQ(report.output_tokens, 0);
  EXPECT_EQ(report.violations, 0);
}

// The server has said Finish and keeps its status: only the deadline ends such a call.
TEST_F(LoadRunTest, DeadlinesEndCalls) {
  inference_.HoldAll(true);
  options_.workload.requests = 4;
  options_.workload.deadline = absl::Milliseconds(100);
  const Report report = Run();
  EXPECT_EQ(Count(report, "DEADLINE_EXCEEDED"), 4);
  EXPECT_EQ(report.violations, 0);
  EXPECT_EQ(report.e2e.count, 0);
}

// 12 tokens at 100 per second, one per delta: 120 ms that the client takes for itself.
TEST_F(LoadRunTest, ASlowReaderTakesItsTime) {
  options_.workload.requests = 4;
  options_.workload.output_tokens = *ParseLengths("output_tokens", "fixed:12");
  options_.workload.slow_readers = *ParseSlowReaders("1:100");
  const Report report = Run();
  EXPECT_EQ(Count(report, "LENGTH"), 4);
  EXPECT_GE(report.seconds, 0.12);
}

TEST_F(LoadRunTest, RefusalsAreCountedAndNotFatal) {
  inference_.admit = [this] {
    return inference_.calls % 3 == 0 ? RetryLater(absl::StatusCode::kResourceExhausted,
                                                  "QUEUE_FULL", absl::Seconds(1), "full")
                                     : absl::OkStatus();
  };
  const Report report = Run();
  EXPECT_EQ(Count(report, "RESOURCE_EXHAUSTED (QUEUE_FULL)") + Count(report, "LENGTH"), 60);
  EXPECT_NEAR(Count(report, "LENGTH"), 40, 4);
  EXPECT_EQ(report.violations, 0);
}

TEST_F(LoadRunTest, ABrokenStreamIsFound) {
  inference_.spoil = [](v1::GenerateEvent& event) { return event.seq() != 2; };
  const Report gap = Run();
  EXPECT_EQ(gap.violations, 60);
  EXPECT_EQ(gap.first_violations[0].what, "seq 3, expected 2");
  EXPECT_EQ(gap.e2e.count, 0);
  inference_.spoil = [](v1::GenerateEvent& event) { return !event.has_finish(); };
  const Report endless = Run();
  EXPECT_EQ(endless.violations, 60);
  EXPECT_TRUE(absl::StrContains(endless.first_violations[0].what, "without Finish"));
}

TEST_F(LoadRunTest, AStreamThatDoesNotEndIsFound) {
  inference_.HoldAll(true);
  options_.workload.requests = 4;
  options_.drain = absl::Milliseconds(100);
  const Report report = Run();
  EXPECT_EQ(Count(report, "hung"), 4);
  EXPECT_EQ(report.violations, 4);
  EXPECT_EQ(report.first_violations[0].what, "not ended 100ms after the last request began");
}

// Three runs of one seed, at different concurrency: the same was asked and the same was answered.
TEST_F(LoadRunTest, ASeedIsAWorkload) {
  const auto one = RunLoad(options_);
  SetArrivals("closed:9");
  const auto two = RunLoad(options_);
  options_.workload.seed = 6;
  const auto other = RunLoad(options_);
  ASSERT_TRUE(one.ok() && two.ok() && other.ok());
  EXPECT_EQ(one->run.workload_digest, two->run.workload_digest);
  EXPECT_EQ(one->report.outputs_digest, two->report.outputs_digest);
  EXPECT_NE(one->run.workload_digest, other->run.workload_digest);
}

TEST_F(LoadRunTest, RefusesOptionsByNameValueAndBound) {
  options_.connections = 0;
  EXPECT_EQ(RunLoad(options_).status().message(), "--connections=0: outside [1, 256]");
  options_.connections = 1;
  options_.slo.tpot = absl::ZeroDuration();
  EXPECT_EQ(RunLoad(options_).status().message(), "--slo_tpot=0: outside (0, inf]");
  options_.slo = {};
  options_.workload.prompt_tokens = *ParseLengths("prompt_tokens", "fixed:995");
  const absl::Status too_long = RunLoad(options_).status();
  EXPECT_TRUE(absl::StrContains(too_long.message(),
                                "up to 1007 tokens, the model's context has "
                                "1000"))
      << too_long;
  SetArrivals("trace:" + testing::TempDir() + "/none");
  EXPECT_TRUE(absl::StrContains(RunLoad(options_).status().message(), "/none: cannot be read"));
}

}  // namespace
}  // namespace shoal::loadgen
