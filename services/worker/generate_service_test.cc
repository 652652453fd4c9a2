#include "services/worker/generate_service.h"

#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "runtime/base/fake_clock.h"
#include "services/common/channel.h"
#include "services/common/grpc_server.h"

namespace shoal {
namespace {

// Remembers what it was asked; the test plays the engine's steps.
class FakeEngine : public Engine {
 public:
  absl::Status Submit(Request request) override {
    MutexLock lock(&mu_);
    if (!refuse_.ok()) return refuse_;
    submitted_.push_back(request.key);
    changed_.SignalAll();
    return absl::OkStatus();
  }
  void Cancel(const GenerationKey& key) override {
    MutexLock lock(&mu_);
    cancelled_.push_back(key);
    changed_.SignalAll();
  }
  void Attach(Group) override {}
  void Detach(absl::Status) override {}
  void FailAll(absl::Status) override {}
  void Drain(absl::Time) override {}
  EngineLoad load() const override { return {}; }
  absl::Status group_status() const override { return absl::OkStatus(); }

  void Refuse(absl::Status why) {
    MutexLock lock(&mu_);
    refuse_ = std::move(why);
  }
  void WaitForSubmits(size_t n) {
    MutexLock lock(&mu_);
    while (submitted_.size() < n) changed_.Wait(&mu_);
  }
  bool cancelled() {
    MutexLock lock(&mu_);
    return !cancelled_.empty();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  absl::Status refuse_;
  std::vector<GenerationKey> submitted_, cancelled_;
};

class GenerateServiceTest : public testing::Test {
 protected:
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::GenerateDown, v1::GenerateUp>> stream;
  };

  GenerateServiceTest() {
    v1::WorkerId worker;
    worker.set_name("w0");
    worker.set_incarnation(5);
    service_ = std::make_unique<GenerateService>(
        GenerateService::Options{.cluster = "c1", .worker = worker}, clock_);
    service_->SetEngine(engine_);
    server_ = *GrpcServer::Start({.listen = "127.0.0.1:0", .services = {service_.get()}});
    stub_ = v1::Worker::NewStub(DialChannel(server_->address()));
  }
  ~GenerateServiceTest() override {
    service_->EndStreams();
    server_->Shutdown(absl::Seconds(1));
  }

  std::unique_ptr<Call> Dial(uint64_t router, const std::string& cluster = "c1") {
    auto call = std::make_unique<Call>();
    call->stream = stub_->Generate(&call->context);
    v1::GenerateDown hello;
    hello.mutable_hello()->set_cluster(cluster);
    hello.mutable_hello()->set_router_incarnation(router);
    call->stream->Write(hello);
    return call;
  }
  static v1::GenerateUp Read(Call& call) {
    v1::GenerateUp up;
    EXPECT_TRUE(call.stream->Read(&up));
    return up;
  }
  std::unique_ptr<Call> Greet(uint64_t router) {
    auto call = Dial(router);
    EXPECT_EQ(Read(*call).hello().worker().incarnation(), 5u);
    return call;
  }
  static void Submit(Call& call, const std::string& generation) {
    v1::GenerateDown down;
    down.mutable_submit()->set_generation(generation);
    down.mutable_submit()->add_prompt(1);
    call.stream->Write(down);
  }
  void Step(uint64_t step, const std::string& generation, int64_t position, bool end = false) {
    service_->OnStep(step,
                     {{.key = {generation, 0}, .position = position, .ids = {9}, .finished = end}});
  }

  FakeClock clock_;
  std::shared_ptr<FakeEngine> engine_ = std::make_shared<FakeEngine>();
  std::unique_ptr<GenerateService> service_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::Worker::Stub> stub_;
};

TEST_F(GenerateServiceTest, TokensGoToTheRouterThatAsked) {
  auto a = Greet(1), b = Greet(2);
  Submit(*a, "ga");
  Submit(*b, "gb");
  engine_->WaitForSubmits(2);
  Step(7, "gb", 1);
  const v1::GenerateUp up = Read(*b);
  ASSERT_EQ(up.tokens().generations_size(), 1);
  EXPECT_EQ(up.tokens().step(), 7u);
  EXPECT_EQ(up.tokens().generations(0).generation(), "gb");
  EXPECT_EQ(up.tokens().generations(0).ids_size(), 1);
  Step(8, "ga", 1, /*end=*/true);
  EXPECT_EQ(Read(*a).tokens().generations(0).end(), v1::GenerationTokens::END_STOP);
}

TEST_F(GenerateServiceTest, NoPositionIsLostOrDoubledWhileWritesAreUnderWay) {
  auto call = Greet(1);
  Submit(*call, "g");
  engine_->WaitForSubmits(1);
  constexpr int kTokens = 2000;
  for (int i = 0; i < kTokens; ++i) Step(i, "g", 1 + i, i + 1 == kTokens);
  int64_t next = 1;
  bool ended = false;
  while (!ended) {
    const v1::GenerateUp up = Read(*call);
    for (const auto& word : up.tokens().generations()) {
      ASSERT_EQ(word.position(), next);
      next += word.ids_size();
      ended = word.end() == v1::GenerationTokens::END_STOP;
    }
  }
  EXPECT_EQ(next, 1 + kTokens);
}

TEST_F(GenerateServiceTest, ARefusedSubmitEndsWithTheEnginesError) {
  auto call = Greet(1);
  engine_->Refuse(absl::ResourceExhaustedError("256 wait, the limit is 256"));
  Submit(*call, "g");
  const v1::GenerateUp up = Read(*call);
  ASSERT_EQ(up.tokens().generations_size(), 1);
  const v1::GenerationTokens& word = up.tokens().generations(0);
  EXPECT_EQ(word.end(), v1::GenerationTokens::END_ERROR);
  EXPECT_EQ(word.error_code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(word.error_message(), "256 wait, the limit is 256");
}

TEST_F(GenerateServiceTest, WithoutAnEngineASubmitIsUnavailable) {
  service_->SetEngine(nullptr);
  auto call = Greet(1);
  Submit(*call, "g");
  EXPECT_EQ(Read(*call).tokens().generations(0).error_code(),
            static_cast<int>(absl::StatusCode::kUnavailable));
}

TEST_F(GenerateServiceTest, AnotherClustersRouterIsRefusedNamingBoth) {
  auto call = Dial(1, "c2");
  v1::GenerateUp up;
  EXPECT_FALSE(call->stream->Read(&up));
  const grpc::Status status = call->stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("of c1, the router of c2"), std::string::npos);
}

TEST_F(GenerateServiceTest, HelloComesFirst) {
  auto call = std::make_unique<Call>();
  call->stream = stub_->Generate(&call->context);
  Submit(*call, "g");
  v1::GenerateUp up;
  EXPECT_FALSE(call->stream->Read(&up));
  EXPECT_EQ(call->stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(GenerateServiceTest, W5GenerationsWithoutAnOwnerAreCancelledAfterTheTtl) {
  auto call = Greet(1);
  Submit(*call, "g");
  engine_->WaitForSubmits(1);
  service_->CancelOrphans();
  clock_.Advance(absl::Seconds(60));
  service_->CancelOrphans();
  EXPECT_FALSE(engine_->cancelled());  // its router is there
  call->context.TryCancel();
  call->stream->Finish();
  while (!engine_->cancelled()) {  // the server learns of the hang-up at its own time
    clock_.Advance(absl::Seconds(1));
    service_->CancelOrphans();
    std::this_thread::yield();
  }
}

TEST(TokenOutbox, TokensOfOneGenerationGrowTogether) {
  TokenOutbox outbox;
  v1::GenerationTokens a;
  a.set_generation("a");
  a.set_position(4);
  a.add_ids(1);
  outbox.Add(1, a);
  v1::GenerationTokens b = a;
  b.set_generation("b");
  outbox.Add(1, b);
  a.set_position(5);
  a.set_end(v1::GenerationTokens::END_STOP);
  outbox.Add(2, a);
  const v1::Tokens taken = outbox.Take();
  ASSERT_EQ(taken.generations_size(), 2);
  EXPECT_EQ(taken.step(), 2u);
  EXPECT_EQ(taken.generations(0).position(), 4);
  EXPECT_EQ(taken.generations(0).ids_size(), 2);
  EXPECT_EQ(taken.generations(0).end(), v1::GenerationTokens::END_STOP);
  EXPECT_TRUE(outbox.empty());
}

}  // namespace
}  // namespace shoal
