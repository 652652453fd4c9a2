// Workers that do not fit, cannot start or find no router: a clear error on the right side, and
// nobody else disturbed.

#include <grpcpp/client_context.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

#include "services/common/channel.h"
#include "tests/cluster/local_cluster.h"

namespace shoal {
namespace {

constexpr int kCannotStart = 1, kRejected = 3, kCannotLoad = 4;

class RefusalTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = testing::TempDir() + "/refusal";
    std::filesystem::remove_all(directory_);
    ASSERT_TRUE(WriteRandomModel(directory_ + "/model", 1).ok());
    cluster_ = new LocalCluster(directory_, directory_ + "/model", 2);
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }
  void ServeWithTwo() {
    if (serving_) return;
    const absl::Status started = cluster_->StartAll();
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_TRUE(cluster_->WaitServing().ok());
    serving_ = true;
  }
  // The group serves the epoch that it served before.
  void ExpectUndisturbed(const v1::ClusterState& before) {
    const auto after = cluster_->State();
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_TRUE(after->serving());
    EXPECT_EQ(after->epoch().number(), before.epoch().number());
    Stream stream(cluster_->inference(), {5, 6, 7}, 5);
    EXPECT_TRUE(stream.Finish().ok());
  }
  // Starts a worker that must be rejected; its log.
  std::string Rejected(const std::function<void(v1::WorkerConfig&)>& change) {
    EXPECT_TRUE(cluster_->StartWorker("misfit", change).ok());
    EXPECT_EQ(cluster_->worker("misfit").WaitExit(absl::Seconds(20)), kRejected)
        << cluster_->worker("misfit").Log();
    const std::string log = cluster_->worker("misfit").Log();
    std::filesystem::remove(directory_ + "/misfit.log");
    return log;
  }

  static std::string directory_;
  static LocalCluster* cluster_;
  static bool serving_;
};
std::string RefusalTest::directory_;
LocalCluster* RefusalTest::cluster_ = nullptr;
bool RefusalTest::serving_ = false;

// First, while there is no router yet: its ports are learnt from one that is stopped again.
TEST_F(RefusalTest, AnAbsentRouterIsNamedAndWaitedFor) {
  ASSERT_TRUE(cluster_->StartRouter().ok());
  cluster_->router().Signal(SIGKILL);
  ASSERT_TRUE(cluster_->router().WaitExit(absl::Seconds(5)).has_value());
  ASSERT_TRUE(cluster_->StartWorker("w0").ok());
  ASSERT_TRUE(cluster_->StartWorker("w1").ok());
  for (const char* name : {"w0", "w1"}) {
    ASSERT_TRUE(cluster_->worker(name).WaitLog("waiting for the router", absl::Seconds(10)));
    EXPECT_TRUE(absl::StrContains(cluster_->worker(name).Log(), cluster_->control_address()));
  }
  ASSERT_TRUE(cluster_->StartRouter().ok());
  const auto state = cluster_->WaitServing();
  ASSERT_TRUE(state.ok()) << state.status();
  serving_ = true;
}

TEST_F(RefusalTest, OtherWeights) {
  ServeWithTwo();
  const auto before = cluster_->State();
  const std::string other = directory_ + "/other_weights";
  ASSERT_TRUE(WriteRandomModel(other, 2).ok());
  const std::string log = Rejected([&](v1::WorkerConfig& c) { c.set_model_folder(other); });
  EXPECT_TRUE(absl::StrContains(log, "weight_digest: the group has ")) << log;
  ExpectUndisturbed(*before);
}

TEST_F(RefusalTest, AnotherConfig) {
  ServeWithTwo();
  const auto before = cluster_->State();
  const std::string other = directory_ + "/other_config";
  ASSERT_TRUE(
      WriteRandomModel(other, 1, [](std::string config) {
        return absl::StrReplaceAll(config, {{"\"rope_theta\": 10000", "\"rope_theta\": 20000"}});
      }).ok());
  const std::string log = Rejected([&](v1::WorkerConfig& c) { c.set_model_folder(other); });
  EXPECT_TRUE(absl::StrContains(log, "config_digest: the group has ")) << log;
  ExpectUndisturbed(*before);
}

TEST_F(RefusalTest, OtherArithmetic) {
  ServeWithTwo();
  const auto before = cluster_->State();
  const std::string log = Rejected([](v1::WorkerConfig& c) { c.set_device("reference"); });
  EXPECT_TRUE(absl::StrContains(log, "numerics_id: the group has cpu-")) << log;
  EXPECT_TRUE(absl::StrContains(log, "the worker reference-")) << log;
  ExpectUndisturbed(*before);
}

TEST_F(RefusalTest, AnotherCluster) {
  ServeWithTwo();
  const std::string log = Rejected([](v1::WorkerConfig& c) { c.set_cluster("elsewhere"); });
  EXPECT_TRUE(absl::StrContains(log, "cluster: the group has test, the worker elsewhere")) << log;
}

TEST_F(RefusalTest, AnotherProtocol) {
  ServeWithTwo();
  const auto before = cluster_->State();
  const auto stub = v1::Membership::NewStub(DialChannel(cluster_->control_address()));
  grpc::ClientContext context;
  const auto stream = stub->Join(&context);
  v1::WorkerMessage message;
  message.mutable_join()->set_protocol_min(7);
  message.mutable_join()->set_protocol_max(9);
  ASSERT_TRUE(stream->Write(message));
  v1::RouterMessage answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.rejected().field(), "protocol");
  EXPECT_EQ(answer.rejected().expected(), "1..1");
  EXPECT_EQ(answer.rejected().actual(), "7..9");
  EXPECT_FALSE(stream->Read(&answer));  // and the router hangs up
  EXPECT_TRUE(stream->Finish().ok());
  ExpectUndisturbed(*before);
}

TEST_F(RefusalTest, ATruncatedShardIsNamedAtStart) {
  const std::string broken = directory_ + "/truncated";
  ASSERT_TRUE(WriteRandomModel(broken, 1).ok());
  std::string shard;
  for (const auto& entry : std::filesystem::directory_iterator(broken)) {
    if (absl::EndsWith(entry.path().string(), "-00002-of-00003.safetensors")) {
      shard = entry.path().string();
    }
  }
  ASSERT_FALSE(shard.empty());
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 1);
  EXPECT_FALSE(
      cluster_->StartWorker("broken", [&](v1::WorkerConfig& c) { c.set_model_folder(broken); })
          .ok());
  EXPECT_EQ(cluster_->worker("broken").WaitExit(absl::Seconds(5)), kCannotStart);
  EXPECT_TRUE(absl::StrContains(cluster_->worker("broken").Log(), "-00002-of-00003"))
      << cluster_->worker("broken").Log();
}

TEST_F(RefusalTest, AMissingShardIsNamedAtStart) {
  const std::string broken = directory_ + "/missing";
  ASSERT_TRUE(WriteRandomModel(broken, 1).ok());
  std::filesystem::remove(broken + "/model-00003-of-00003.safetensors");
  EXPECT_FALSE(
      cluster_->StartWorker("gap", [&](v1::WorkerConfig& c) { c.set_model_folder(broken); }).ok());
  EXPECT_EQ(cluster_->worker("gap").WaitExit(absl::Seconds(5)), kCannotStart);
  EXPECT_TRUE(absl::StrContains(cluster_->worker("gap").Log(), "model-00003-of-00003"))
      << cluster_->worker("gap").Log();
}

// It joined as a spare with all its files there; when its turn comes, one is gone.
TEST_F(RefusalTest, AShareThatCannotBeLoadedIsNamedAndTheSeatStaysFree) {
  ServeWithTwo();
  const std::string broken = directory_ + "/rotting";
  ASSERT_TRUE(WriteRandomModel(broken, 1).ok());
  ASSERT_TRUE(
      cluster_->StartWorker("rotting", [&](v1::WorkerConfig& c) { c.set_model_folder(broken); })
          .ok());
  Process& rotting = cluster_->worker("rotting");
  ASSERT_TRUE(rotting.WaitLog("joined", absl::Seconds(10))) << rotting.Log();
  std::filesystem::remove(broken + "/model-00002-of-00003.safetensors");
  cluster_->worker("w1").Signal(SIGKILL);
  EXPECT_EQ(rotting.WaitExit(absl::Seconds(20)), kCannotLoad);
  EXPECT_TRUE(absl::StrContains(rotting.Log(), "model-00002-of-00003")) << rotting.Log();
  ASSERT_TRUE(cluster_->StartWorker("w1").ok());
  const auto state = cluster_->WaitServing();
  ASSERT_TRUE(state.ok()) << state.status();
  ExpectUndisturbed(*state);
}

TEST_F(RefusalTest, APortInUseIsNamed) {
  ServeWithTwo();
  const std::string taken = cluster_->worker("w0").address("metrics");
  for (const char* field : {"metrics", "generate", "mesh"}) {
    const std::string name = absl::StrCat("port-", field);
    EXPECT_FALSE(cluster_
                     ->StartWorker(name,
                                   [&](v1::WorkerConfig& c) {
                                     if (name == "port-metrics") c.set_metrics_listen(taken);
                                     if (name == "port-generate") c.set_generate_listen(taken);
                                     if (name == "port-mesh") c.set_mesh_listen(taken);
                                   })
                     .ok());
    EXPECT_EQ(cluster_->worker(name).WaitExit(absl::Seconds(5)), kCannotStart);
    EXPECT_TRUE(absl::StrContains(cluster_->worker(name).Log(), taken))
        << cluster_->worker(name).Log();
  }
}

}  // namespace
}  // namespace shoal
