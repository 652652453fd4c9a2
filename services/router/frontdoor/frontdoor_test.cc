// The public API over a real socket, with a group of ranks that the test plays.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "prometheus/registry.h"

#include "services/common/error.h"
#include "services/common/grpc_server.h"
#include "services/router/fake_backend.h"
#include "services/router/frontdoor/inference_service.h"
#include "services/router/frontdoor/models_service.h"

namespace shoal {
namespace {

using End = v1::GenerationTokens;

class FrontdoorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto model = LoadServedModel("tools/nano/model", "nano", {});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::make_unique<ServedModel>(*std::move(model));
    inference_ = std::make_unique<InferenceService>(*model_, table_, RealClock::Get(), metrics_);
    models_ = std::make_unique<ModelsService>(*model_, [] {
      return GroupModelFacts{"digest", "numerics"};
    });
    auto server =
        GrpcServer::Start({.listen = "127.0.0.1:0", .services = {inference_.get(), models_.get()}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    stub_ = v1::Inference::NewStub(channel);
    models_stub_ = v1::Models::NewStub(channel);
  }

  static v1::ChatRequest Question(const std::string& text) {
    v1::ChatRequest request;
    auto* message = request.add_messages();
    message->set_role(v1::Message::USER);
    message->set_content(text);
    return request;
  }

  std::vector<int32_t> Ids(const std::string& text) {
    return *model_->text.tokenizer->Encode(text);
  }

  // Reasoning "7", answer "936", end.
  std::vector<int32_t> Answer() {
    std::vector<int32_t> ids = Ids("7");
    ids.push_back(*model_->text.tokenizer->IdOf("</think>"));
    for (const int32_t id : Ids("\n\n936")) ids.push_back(id);
    ids.push_back(model_->text.eos);
    return ids;
  }

  // The status of a Chat that is refused before anything is sent.
  absl::Status Refusal(const v1::ChatRequest& request) {
    grpc::ClientContext context;
    auto reader = stub_->Chat(&context, request);
    v1::GenerateEvent event;
    EXPECT_FALSE(reader->Read(&event));
    return FromGrpc(reader->Finish());
  }

  prometheus::Registry registry_;
  RouterMetrics metrics_{registry_};
  FakeBackend backend_{2};
  GenerationTable table_{16, backend_, RealClock::Get(), metrics_};
  std::unique_ptr<ServedModel> model_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<ModelsService> models_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::Inference::Stub> stub_;
  std::unique_ptr<v1::Models::Stub> models_stub_;
};

TEST_F(FrontdoorTest, StreamAndAggregateAgree) {
  v1::ChatRequest request = Question("What is 347 + 589?");
  request.mutable_sampling()->set_temperature(0);
  request.mutable_sampling()->set_seed(5);
  v1::ChatCompletion sum;
  {
    grpc::ClientContext context;
    auto reader = stub_->Chat(&context, request);
    const auto [rank, submit] = backend_.WaitForSubmit(0);
    EXPECT_EQ(submit.temperature(), 0);
    EXPECT_EQ(submit.seed(), 5u);
    table_.OnTokens(rank, TokensFor(submit, 0, Answer(), End::END_STOP));
    v1::GenerateEvent event;
    for (uint64_t seq = 0; reader->Read(&event); ++seq) {
      EXPECT_EQ(event.seq(), seq);
      if (event.has_started()) *sum.mutable_started() = event.started();
      if (event.has_reasoning_delta()) *sum.mutable_reasoning() += event.reasoning_delta().text();
      if (event.has_text_delta()) *sum.mutable_text() += event.text_delta().text();
      if (event.has_finish()) *sum.mutable_finish() = event.finish();
    }
    EXPECT_TRUE(reader->Finish().ok());
  }
  EXPECT_EQ(sum.reasoning(), "7");
  EXPECT_EQ(sum.text(), "936");
  EXPECT_EQ(sum.finish().reason(), v1::STOP);

  v1::ChatCompletion unary;
  grpc::ClientContext context;
  std::thread worker([&] {
    const auto [rank, submit] = backend_.WaitForSubmit(1);
    table_.OnTokens(rank, TokensFor(submit, 0, Answer(), End::END_STOP));
  });
  const grpc::Status status = stub_->ChatComplete(&context, request, &unary);
  worker.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(unary.reasoning(), sum.reasoning());
  EXPECT_EQ(unary.text(), sum.text());
  EXPECT_EQ(unary.finish().usage().SerializeAsString(), sum.finish().usage().SerializeAsString());
}

TEST_F(FrontdoorTest, EachRefusalNamesItsField) {
  struct Case {
    const char* field;
    v1::ChatRequest request;
  };
  std::vector<Case> cases;
  const auto add = [&](const char* field) -> v1::ChatRequest& {
    cases.push_back({field, Question("hi")});
    return cases.back().request;
  };
  cases.push_back({"messages", {}});
  add("messages[0].role").mutable_messages(0)->clear_role();
  add("messages").mutable_messages(0)->set_content(std::string(2 << 20, 'x'));
  add("sampling.temperature").mutable_sampling()->set_temperature(std::nanf(""));
  add("sampling.top_p").mutable_sampling()->set_top_p(INFINITY);
  add("sampling.top_p").mutable_sampling()->set_top_p(0);
  add("sampling.top_k").mutable_sampling()->set_top_k(-1);
  add("stop.max_output_tokens").mutable_stop()->set_max_output_tokens(0);
  add("stop.max_output_tokens").mutable_stop()->set_max_output_tokens(1 << 20);
  add("stop.stop_token_ids").mutable_stop()->add_stop_token_ids(99999);
  add("request_id").set_request_id("a b");
  add("request_id").set_request_id(std::string(129, 'a'));
  for (const Case& c : cases) {
    const absl::Status status = Refusal(c.request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.field << ": " << status;
    const auto payload = status.GetPayload("type.googleapis.com/google.rpc.BadRequest");
    google::rpc::BadRequest bad;
    ASSERT_TRUE(payload.has_value() && bad.ParseFromString(std::string(*payload))) << c.field;
    EXPECT_EQ(bad.field_violations(0).field(), c.field) << status;
  }
}

TEST_F(FrontdoorTest, AnOptionThatIsNotKnownIsRefused) {
  v1::ChatRequest request = Question("hi");
  request.mutable_sampling()
      ->GetReflection()
      ->MutableUnknownFields(request.mutable_sampling())
      ->AddVarint(77, 1);
  const absl::Status status = Refusal(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sampling.77"), std::string::npos) << status;
}

TEST_F(FrontdoorTest, AnUnknownModelIsNotFound) {
  v1::ChatRequest request = Question("hi");
  request.set_model("gpt");
  const absl::Status status = Refusal(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "MODEL_NOT_FOUND");
}

TEST_F(FrontdoorTest, AClientThatGoesCancelsItsGeneration) {
  grpc::ClientContext context;
  auto reader = stub_->Chat(&context, Question("hi"));
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  context.TryCancel();
  const auto cancelled = backend_.WaitForCancel(0);
  EXPECT_EQ(cancelled.generation, submit.generation());
  EXPECT_EQ(cancelled.rank, rank);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(table_.open(), 0);
}

TEST_F(FrontdoorTest, TheDeadlineReachesTheRank) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  auto reader = stub_->Chat(&context, Question("hi"));
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  EXPECT_GT(submit.deadline_millis(), 1'000);
  EXPECT_LT(submit.deadline_millis(), 60'000);
  table_.OnTokens(rank, TokensFor(submit, 0, Ids("1"), End::END_TIME_LIMIT));
  v1::GenerateEvent event, last;
  while (reader->Read(&event)) last = event;
  EXPECT_EQ(last.finish().reason(), v1::TIME_LIMIT);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(FrontdoorTest, TokenIdsInTextOut) {
  v1::GenerateRequest request;
  for (const int32_t id : Ids("1+")) request.mutable_token_ids()->add_ids(id);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, request);
  const auto [rank, submit] = backend_.WaitForSubmit(0);
  EXPECT_EQ(submit.prompt_size(), request.token_ids().ids_size());
  table_.OnTokens(rank, TokensFor(submit, 0, Ids("1=2"), End::END_LENGTH));
  std::string text;
  v1::GenerateEvent event;
  while (reader->Read(&event)) text += event.text_delta().text();
  EXPECT_EQ(text, "1=2");
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(FrontdoorTest, TokenizeAndBack) {
  v1::TokenizeRequest request;
  request.set_text("12 plus <｜User｜>");
  v1::TokenizeResponse ids;
  grpc::ClientContext first;
  ASSERT_TRUE(stub_->Tokenize(&first, request, &ids).ok());
  for (const int32_t id : ids.ids()) EXPECT_FALSE(model_->text.tokenizer->IsAdded(id));
  v1::DetokenizeRequest back;
  *back.mutable_ids() = ids.ids();
  v1::DetokenizeResponse text;
  grpc::ClientContext second;
  ASSERT_TRUE(stub_->Detokenize(&second, back, &text).ok());
  EXPECT_EQ(text.text(), request.text());
}

TEST_F(FrontdoorTest, WhatTheModelSeesIsShownAndCounted) {
  const v1::ChatRequest request = Question("What is 1 + 1?");
  v1::RenderPromptResponse rendered;
  grpc::ClientContext first;
  ASSERT_TRUE(stub_->RenderPrompt(&first, request, &rendered).ok());
  EXPECT_EQ(rendered.text(),
            "<｜begin▁of▁sentence｜><｜User｜>What is 1 + 1?<｜Assistant｜><think>\n");
  v1::CountTokensResponse count;
  grpc::ClientContext second;
  ASSERT_TRUE(stub_->CountTokens(&second, request, &count).ok());
  EXPECT_EQ(count.prompt_tokens(), rendered.ids_size());
}

TEST_F(FrontdoorTest, TheModelIsDescribed) {
  v1::ListModelsResponse list;
  grpc::ClientContext first;
  ASSERT_TRUE(models_stub_->List(&first, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 1);
  EXPECT_EQ(list.models(0).name(), "nano");
  EXPECT_EQ(list.models(0).architecture(), "deepseek_v3");
  EXPECT_EQ(list.models(0).weight_digest(), "digest");
  EXPECT_EQ(list.models(0).vocab_size(), 512);
  v1::GetModelRequest request;
  request.set_model("other");
  v1::Model model;
  grpc::ClientContext second;
  EXPECT_EQ(models_stub_->Get(&second, request, &model).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace shoal
