// A group of four real workers lives through deaths, departures and router restarts.

#include <signal.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "tests/cluster/local_cluster.h"

namespace shoal {
namespace {

constexpr int kRanks = 4;
// The law says one second; the machine that runs this test may be busy.
constexpr absl::Duration kStreamsEndWithin = absl::Seconds(3);

const std::vector<int32_t>& Prompt() {
  static const std::vector<int32_t> prompt = {20, 31, 42, 53, 64, 75};
  return prompt;
}

// One cluster for all tests: each leaves it serving.
class GroupTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string directory = testing::TempDir() + "/group";
    std::filesystem::remove_all(directory);
    const absl::Status model = WriteRandomModel(directory + "/model", 1);
    ASSERT_TRUE(model.ok()) << model;
    cluster_ = new LocalCluster(directory, directory + "/model", kRanks);
    const absl::Status started = cluster_->StartAll();
    ASSERT_TRUE(started.ok()) << started;
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(cluster_, nullptr);
    const auto state = cluster_->WaitServing();
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *state;
  }

  static std::vector<int32_t> Answer(int tokens) {
    Stream stream(cluster_->inference(), Prompt(), tokens);
    const absl::Status status = stream.Finish();
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(stream.finished_event());
    return stream.ids();
  }
  static std::string NameOfRank(const v1::ClusterState& state, int rank) {
    for (const v1::RankState& r : state.ranks()) {
      if (r.rank() == rank) return r.worker().name();
    }
    return "";
  }
  static int Loads(const std::string& worker) {
    return cluster_->worker(worker).CountInLog("event=\"weights loaded\"");
  }

  static LocalCluster* cluster_;
  v1::ClusterState state_;
};
LocalCluster* GroupTest::cluster_ = nullptr;

TEST_F(GroupTest, FormsAndAnswers) {
  EXPECT_EQ(state_.group_size(), kRanks);
  EXPECT_EQ(state_.ranks_size(), kRanks);
  for (int r = 0; r < kRanks; ++r) EXPECT_EQ(NameOfRank(state_, r), absl::StrCat("w", r));
  for (const v1::RankState& r : state_.ranks()) EXPECT_EQ(r.load_progress(), 1.0);
  const std::vector<int32_t> first = Answer(40);
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(Answer(40), first);  // whichever rank it went to
}

TEST_F(GroupTest, KilledWhileIdleFormsAnewAndSurvivorsKeepTheirWeights) {
  const std::vector<int32_t> before = Answer(40);
  std::vector<int> loads;
  for (int w = 0; w < kRanks; ++w) loads.push_back(Loads(absl::StrCat("w", w)));
  cluster_->worker("w2").Signal(SIGKILL);
  const auto down =
      cluster_->WaitState([](const v1::ClusterState& s) { return !s.serving(); }, absl::Seconds(5));
  ASSERT_TRUE(down.ok()) << down.status();

  Stream refused(cluster_->inference(), Prompt(), 4);
  const absl::Status status = refused.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;

  ASSERT_TRUE(cluster_->StartWorker("w2").ok());
  const auto up = cluster_->WaitServing();
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_EQ(NameOfRank(*up, 2), "w2");
  EXPECT_GT(up->epoch().number(), state_.epoch().number());
  EXPECT_EQ(up->epoch().incarnation(), state_.epoch().incarnation());
  for (int w : {0, 1, 3}) EXPECT_EQ(Loads(absl::StrCat("w", w)), loads[w]) << "w" << w;
  EXPECT_EQ(Answer(40), before);
}

TEST_F(GroupTest, KilledWhileServingEndsEveryStreamTypedAndSoon) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(std::make_unique<Stream>(cluster_->inference(), Prompt(), 3000));
    streams.back()->Read(5);
    ASSERT_GE(streams.back()->ids().size(), 5u);
  }
  cluster_->worker("w1").Signal(SIGKILL);
  const absl::Time killed = absl::Now();
  for (auto& stream : streams) {
    const absl::Status status = stream->Finish();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "rank 1")) << status;
    EXPECT_FALSE(stream->finished_event());
  }
  const absl::Duration took = absl::Now() - killed;
  RecordProperty("streams_ended_after", absl::FormatDuration(took));
  EXPECT_LT(took, kStreamsEndWithin);
  ASSERT_TRUE(cluster_->StartWorker("w1").ok());
  EXPECT_TRUE(cluster_->WaitServing().ok());
  EXPECT_FALSE(Answer(10).empty());
}

TEST_F(GroupTest, KilledWhileJoiningDisturbsNobody) {
  cluster_->worker("w2").Signal(SIGKILL);
  ASSERT_TRUE(cluster_->worker("w2").WaitExit(absl::Seconds(5)).has_value());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster_->StartWorker("w2").ok());
    cluster_->worker("w2").Signal(SIGKILL);  // while it joins, loads or connects
    ASSERT_TRUE(cluster_->worker("w2").WaitExit(absl::Seconds(5)).has_value());
  }
  ASSERT_TRUE(cluster_->StartWorker("w2").ok());
  const auto up = cluster_->WaitServing();
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_FALSE(Answer(10).empty());
}

TEST_F(GroupTest, SigtermLetsWhatRunsFinish) {
  Stream stream(cluster_->inference(), Prompt(), 300);
  stream.Read(2);
  cluster_->worker("w3").Signal(SIGTERM);
  const absl::Status status = stream.Finish();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stream.finished_event());
  EXPECT_EQ(cluster_->worker("w3").WaitExit(absl::Seconds(25)), 0);
  const auto down =
      cluster_->WaitState([](const v1::ClusterState& s) { return !s.serving(); }, absl::Seconds(5));
  EXPECT_TRUE(down.ok()) << down.status();
  ASSERT_TRUE(cluster_->StartWorker("w3").ok());
  EXPECT_TRUE(cluster_->WaitServing().ok());
}

TEST_F(GroupTest, ARestartedRouterFindsItsWorkersAgain) {
  const std::vector<int32_t> before = Answer(40);
  std::vector<int> loads;
  for (int w = 0; w < kRanks; ++w) loads.push_back(Loads(absl::StrCat("w", w)));
  cluster_->router().Signal(SIGKILL);
  ASSERT_EQ(cluster_->router().WaitExit(absl::Seconds(5)), 128 + SIGKILL);
  ASSERT_TRUE(cluster_->worker("w0").WaitLog("the router went away", absl::Seconds(5)));
  const absl::Status restarted = cluster_->StartRouter();
  ASSERT_TRUE(restarted.ok()) << restarted;
  const auto up = cluster_->WaitServing();
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_GT(up->epoch().number(), state_.epoch().number());  // R1
  EXPECT_NE(up->epoch().incarnation(), state_.epoch().incarnation());
  for (int w = 0; w < kRanks; ++w) {
    EXPECT_EQ(NameOfRank(*up, w), absl::StrCat("w", w));
    EXPECT_EQ(Loads(absl::StrCat("w", w)), loads[w]) << "w" << w;
  }
  EXPECT_EQ(Answer(40), before);
}

TEST_F(GroupTest, AStoppedProcessIsLostByItsLease) {
  cluster_->worker("w0").Signal(SIGSTOP);
  const auto down = cluster_->WaitState([](const v1::ClusterState& s) { return !s.serving(); },
                                        absl::Seconds(10));
  cluster_->worker("w0").Signal(SIGCONT);
  ASSERT_TRUE(down.ok()) << down.status();
  const auto up = cluster_->WaitServing();
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_FALSE(Answer(10).empty());
}

TEST_F(GroupTest, AnIdleClusterBurnsNoCore) {
  Answer(5);
  std::vector<double> before;
  const auto all = [&](const std::function<void(const std::string&, Process&)>& look) {
    look("router", cluster_->router());
    for (int w = 0; w < kRanks; ++w) {
      const std::string name = absl::StrCat("w", w);
      look(name, cluster_->worker(name));
    }
  };
  all([&](const std::string&, Process& p) { before.push_back(p.CpuSeconds()); });
  const absl::Time begin = absl::Now();
  // Two seconds of a quiet cluster: this wait ends by its deadline.
  EXPECT_FALSE(
      cluster_->WaitState([](const v1::ClusterState& s) { return !s.serving(); }, absl::Seconds(2))
          .ok());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  size_t i = 0;
  all([&](const std::string& name, Process& p) {
    EXPECT_LT((p.CpuSeconds() - before[i++]) / seconds, 0.03) << name;
  });
  EXPECT_FALSE(Answer(5).empty());  // and wakes
}

}  // namespace
}  // namespace shoal
