#include "tests/cluster/local_cluster.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"

#include "runtime/base/status_macros.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "services/common/channel.h"
#include "services/common/error.h"

namespace shoal {

namespace {

constexpr char kShippedModel[] = "tools/nano/model";
constexpr absl::Duration kReadyWithin = absl::Seconds(30);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// Beside the test binary's runfiles.
std::string Binary(const std::string& path) { return std::filesystem::absolute(path).string(); }

}  // namespace

absl::Status WriteRandomModel(const std::string& folder, uint64_t seed,
                              const std::function<std::string(std::string)>& change) {
  std::filesystem::create_directories(folder);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    std::filesystem::copy_file(absl::StrCat(kShippedModel, "/", name),
                               absl::StrCat(folder, "/", name),
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::string config = ReadFile(absl::StrCat(kShippedModel, "/config.json"));
  if (change) config = change(std::move(config));
  return WriteRandomCheckpoint(nlohmann::json::parse(config), folder, {.seed = seed});
}

// ---- streams ----

Stream::Stream(v1::Inference::Stub& stub, const std::vector<int32_t>& prompt, int max_tokens) {
  v1::GenerateRequest request;
  request.mutable_token_ids()->mutable_ids()->Assign(prompt.begin(), prompt.end());
  request.mutable_sampling()->set_temperature(0);
  request.mutable_stop()->set_max_output_tokens(max_tokens);
  reader_ = stub.Generate(&context_, request);
}

Stream::~Stream() {
  if (ended_) return;
  context_.TryCancel();
  Finish().IgnoreError();
}

void Stream::Read(size_t tokens) {
  const size_t enough = ids_.size() + tokens;
  v1::GenerateEvent event;
  while (ids_.size() < enough && reader_->Read(&event)) {
    for (const v1::TextDelta* delta : {&event.reasoning_delta(), &event.text_delta()}) {
      ids_.insert(ids_.end(), delta->token_ids().begin(), delta->token_ids().end());
    }
    finished_event_ |= event.has_finish();
  }
}

absl::Status Stream::Finish() {
  Read(1 << 20);
  ended_ = true;
  return FromGrpc(reader_->Finish());
}

// ---- the cluster ----

LocalCluster::LocalCluster(std::string directory, std::string model_folder, int ranks)
    : directory_(std::move(directory)), model_folder_(std::move(model_folder)), ranks_(ranks) {}

std::string LocalCluster::Write(const std::string& name,
                                const google::protobuf::Message& config) const {
  std::string text;
  google::protobuf::TextFormat::PrintToString(config, &text);
  const std::string path = absl::StrCat(directory_, "/", name, ".textproto");
  std::ofstream(path) << text;
  return path;
}

absl::Status LocalCluster::StartRouter() {
  v1::RouterConfig config;
  config.set_cluster("test");
  config.set_model_folder(model_folder_);
  config.set_model_name("random");
  config.set_api_listen(api_address_);
  config.set_control_listen(control_address_);
  config.set_metrics_listen("127.0.0.1:0");
  config.set_group_size(ranks_);
  config.set_drain_seconds(5);
  router_.reset();
  router_ =
      std::make_unique<Process>(std::vector<std::string>{Binary("services/router/shoal-router"),
                                                         "--config", Write("router", config)},
                                directory_ + "/router.log");
  RETURN_IF_ERROR(router_->WaitReady(kReadyWithin));
  api_address_ = router_->address("api");
  control_address_ = router_->address("control");
  inference_ = v1::Inference::NewStub(DialChannel(api_address_));
  cluster_ = v1::Cluster::NewStub(DialChannel(control_address_));
  return absl::OkStatus();
}

absl::Status LocalCluster::StartWorker(const std::string& name,
                                       const std::function<void(v1::WorkerConfig&)>& change) {
  v1::WorkerConfig config;
  config.set_cluster("test");
  config.set_name(name);
  config.set_model_folder(model_folder_);
  config.set_model_name("random");
  config.set_router(control_address_);
  config.set_metrics_listen("127.0.0.1:0");
  config.set_drain_seconds(20);
  if (change) change(config);
  std::unique_ptr<Process>& worker = workers_[name];
  worker.reset();
  worker =
      std::make_unique<Process>(std::vector<std::string>{Binary("services/worker/shoal-worker"),
                                                         "--config", Write(name, config)},
                                absl::StrCat(directory_, "/", name, ".log"));
  return worker->WaitReady(kReadyWithin);
}

absl::Status LocalCluster::StartAll() {
  RETURN_IF_ERROR(StartRouter());
  for (int r = 0; r < ranks_; ++r) RETURN_IF_ERROR(StartWorker(absl::StrCat("w", r)));
  return absl::OkStatus();
}

absl::StatusOr<v1::ClusterState> LocalCluster::State() {
  grpc::ClientContext context;
  v1::ClusterState state;
  RETURN_IF_ERROR(FromGrpc(cluster_->Get(&context, {}, &state)));
  return state;
}

absl::StatusOr<v1::ClusterState> LocalCluster::WaitState(
    const std::function<bool(const v1::ClusterState&)>& wanted, absl::Duration at_most) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(at_most));
  const auto watch = cluster_->Watch(&context, {});
  v1::ClusterState state;
  while (watch->Read(&state)) {
    if (!wanted(state)) continue;
    context.TryCancel();
    watch->Finish();
    return state;
  }
  return Annotate(FromGrpc(watch->Finish()), absl::StrCat("last state: ", state.DebugString()));
}

absl::StatusOr<v1::ClusterState> LocalCluster::WaitServing(absl::Duration at_most) {
  return WaitState([](const v1::ClusterState& state) { return state.serving(); }, at_most);
}

}  // namespace shoal
