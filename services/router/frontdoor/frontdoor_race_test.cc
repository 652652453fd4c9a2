// Clients that go at any moment, over a real socket: the reactors' lifetimes and the stream law.
// Made for the address sanitizer (--config=asan).

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "prometheus/registry.h"

#include "runtime/base/queue.h"
#include "services/common/grpc_server.h"
#include "services/router/backend.h"
#include "services/router/frontdoor/inference_service.h"

namespace shoal {
namespace {

using End = v1::GenerationTokens;

constexpr int kClients = 4;
constexpr int kCalls = 60;   // of each
constexpr int kAnswer = 20;  // tokens

// One rank, which answers each submit with kAnswer tokens in messages of one.
class ChattyRank : public Backend {
 public:
  ~ChattyRank() override {
    submits_.Close();
    thread_.join();
  }
  void Start(BackendListener& listener) {
    thread_ = std::thread([this, &listener] {
      for (auto submit = submits_.Pop(absl::InfiniteFuture()); submit.ok();
           submit = submits_.Pop(absl::InfiniteFuture())) {
        for (int i = 0; i < kAnswer; ++i) listener.OnTokens(0, Token(*submit, i));
      }
    });
  }

  GroupSnapshot Snapshot() const override {
    GroupSnapshot group = {.serving = true};
    group.ranks.push_back(
        {.rank = 0, .accepting = true, .max_waiting = 1000, .kv_blocks_total = 1000});
    return group;
  }
  absl::Status Submit(int32_t, const v1::Submit& submit) override {
    return submits_.TryPush(v1::Submit(submit));
  }
  void Cancel(int32_t, absl::string_view, uint32_t) override {}

 private:
  static v1::Tokens Token(const v1::Submit& submit, int i) {
    v1::Tokens tokens;
    End* word = tokens.add_generations();
    word->set_generation(submit.generation());
    word->set_attempt(submit.attempt());
    word->set_position(submit.prompt_size() + i);
    word->add_ids(5);
    word->set_end(i + 1 == kAnswer ? End::END_STOP : End::NOT_ENDED);
    return tokens;
  }

  Queue<v1::Submit> submits_{1000};
  std::thread thread_;
};

class FrontdoorRaceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto model = LoadServedModel("tools/nano/model", "nano", {});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::make_unique<ServedModel>(*std::move(model));
    rank_.Start(table_);
    inference_ = std::make_unique<InferenceService>(*model_, table_, RealClock::Get(), metrics_);
    auto server = GrpcServer::Start({.listen = "127.0.0.1:0", .services = {inference_.get()}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Inference::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
    question_.add_messages()->set_role(v1::Message::USER);
    question_.mutable_messages(0)->set_content("1+1");
  }

  // Reads `patience` events, then goes.
  void Stream(int patience, std::chrono::milliseconds deadline) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    const auto reader = stub_->Chat(&context, question_);
    v1::GenerateEvent event;
    bool finished = false;
    uint64_t seq = 0;
    while (reader->Read(&event)) {
      EXPECT_EQ(event.seq(), seq++);
      finished = event.has_finish();
      if (--patience <= 0) context.TryCancel();
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(!status.ok() || finished);
  }

  void Aggregate(std::chrono::milliseconds deadline) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    v1::ChatCompletion answer;
    const grpc::Status status = stub_->ChatComplete(&context, question_, &answer);
    EXPECT_EQ(answer.finish().usage().output_tokens(), status.ok() ? kAnswer : 0);
  }

  void BeClient(uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kCalls; ++i) {
      // Also a deadline that has passed when the call arrives, and one that never matters.
      const std::chrono::milliseconds deadline(random() % 3 == 0 ? 60'000 : random() % 8);
      if (random() % 3 == 0) {
        Aggregate(deadline);
      } else {
        Stream(static_cast<int>(random() % 8), deadline);
      }
    }
  }

  prometheus::Registry registry_;
  RouterMetrics metrics_{registry_};
  ChattyRank rank_;
  GenerationTable table_{64, rank_, RealClock::Get(), metrics_};
  std::unique_ptr<ServedModel> model_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::Inference::Stub> stub_;
  v1::ChatRequest question_;
};

TEST_F(FrontdoorRaceTest, ClientsThatGoLeaveNothingBehind) {
  std::vector<std::thread> clients;
  for (uint32_t c = 0; c < kClients; ++c) clients.emplace_back([this, c] { BeClient(c); });
  for (std::thread& client : clients) client.join();
  // Every call is over when this returns.
  server_->Shutdown(absl::Seconds(10));
  EXPECT_EQ(table_.open(), 0);
  EXPECT_EQ(metrics_.running.Value() + metrics_.waiting.Value(), 0);
}

// The server goes while calls run: each ends, and none outlives it.
TEST_F(FrontdoorRaceTest, AServerThatGoesEndsItsCalls) {
  std::vector<std::thread> clients;
  for (uint32_t c = 0; c < kClients; ++c) clients.emplace_back([this, c] { BeClient(c); });
  while (table_.open() == 0) std::this_thread::yield();
  server_->Shutdown(absl::ZeroDuration());
  EXPECT_EQ(table_.open(), 0);
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace shoal
