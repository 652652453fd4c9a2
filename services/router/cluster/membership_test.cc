#include "services/router/cluster/membership.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "services/router/cluster/protocol.h"

namespace shoal {
namespace {

constexpr uint64_t kRouter = 0xabc;

// A membership of two ranks, driven by hand.
class MembershipTest : public testing::Test {
 protected:
  static MembershipOptions Options() {
    MembershipOptions options;
    options.expected = {.cluster = "c1",
                        .model = "nano",
                        .config_digest = "cfg",
                        .tokenizer_digest = "tok",
                        .weight_digest = "",
                        .numerics_id = "",
                        .group_size = 2};
    options.incarnation = kRouter;
    options.key_secret = std::string(32, 'k');
    return options;
  }

  static v1::Join JoinOf(const std::string& name, uint64_t incarnation = 1) {
    v1::Join join;
    join.mutable_worker()->set_name(name);
    join.mutable_worker()->set_incarnation(incarnation);
    join.set_cluster("c1");
    join.set_protocol_min(kProtocolMin);
    join.set_protocol_max(kProtocolMax);
    join.set_mesh_address("mesh:" + name);
    join.set_generate_address("generate:" + name);
    join.set_model("nano");
    join.set_config_digest("cfg");
    join.set_weight_digest("wts");
    join.set_tokenizer_digest("tok");
    join.set_numerics_id("n1");
    join.set_desired_rank(-1);
    return join;
  }

  void Keep(Membership::Actions actions) {
    for (MembershipAction& action : actions) {
      if (auto* send = std::get_if<SendToWorker>(&action)) {
        if (!send->message.has_pulse()) sent_[send->to].push_back(send->message);
      } else if (auto* close = std::get_if<CloseJoin>(&action)) {
        closed_.push_back(close->connection);
      } else if (auto* up = std::get_if<GroupUp>(&action)) {
        ups_.push_back(*up);
      } else if (auto* down = std::get_if<GroupDown>(&action)) {
        downs_.push_back(*down);
      }
    }
  }
  void Join(ConnectionId id, const v1::Join& join) {
    v1::WorkerMessage message;
    *message.mutable_join() = join;
    Keep(membership_.OnMessage(id, message, now_));
  }
  void Prepare(ConnectionId id) {  // answers the last Prepare as a good worker does
    v1::WorkerMessage message;
    const v1::Prepare& prepare = sent_[id].back().prepare();
    *message.mutable_prepared()->mutable_epoch() = prepare.epoch();
    message.mutable_prepared()->set_layout(prepare.layout());
    Keep(membership_.OnMessage(id, message, now_));
  }
  void Beat(ConnectionId id, const v1::Epoch& epoch, int running = 0, uint64_t passes = 0) {
    v1::WorkerMessage message;
    *message.mutable_beat()->mutable_epoch() = epoch;
    message.mutable_beat()->set_state(epoch.number() > 0 ? v1::SERVING : v1::READY);
    message.mutable_beat()->set_passes(passes);
    message.mutable_beat()->mutable_load()->set_running(running);
    Keep(membership_.OnMessage(id, message, now_));
  }
  void Refuse(ConnectionId id, const v1::Epoch& epoch, uint64_t promise, int64_t retry_millis = 0) {
    v1::WorkerMessage message;
    *message.mutable_refused()->mutable_epoch() = epoch;
    message.mutable_refused()->mutable_highest_promise()->set_number(promise);
    message.mutable_refused()->set_reason("no");
    message.mutable_refused()->set_retry_after_millis(retry_millis);
    Keep(membership_.OnMessage(id, message, now_));
  }
  void Pass(absl::Duration d) { now_ += d; }
  v1::Epoch Serve() {  // workers 1 and 2 form a group
    Join(1, JoinOf("a"));
    Join(2, JoinOf("b"));
    Prepare(1);
    Prepare(2);
    const v1::Epoch epoch = membership_.epoch();
    Beat(1, epoch);
    Beat(2, epoch);
    return epoch;
  }
  const v1::RouterMessage& Last(ConnectionId id) { return sent_[id].back(); }

  Membership membership_{Options()};
  absl::Time now_ = absl::FromUnixSeconds(1000);
  std::map<ConnectionId, std::vector<v1::RouterMessage>> sent_;
  std::vector<ConnectionId> closed_;
  std::vector<GroupUp> ups_;
  std::vector<GroupDown> downs_;
};

TEST_F(MembershipTest, FormsWhenAWorkerIsThereForEveryRank) {
  Join(1, JoinOf("b"));
  ASSERT_TRUE(Last(1).has_welcome());
  EXPECT_EQ(Last(1).welcome().router_incarnation(), kRouter);
  EXPECT_EQ(membership_.WaitingFor(), "workers for 1 of 2 ranks: 1");
  Join(2, JoinOf("a"));
  ASSERT_TRUE(Last(1).has_prepare());
  ASSERT_TRUE(Last(2).has_prepare());
  EXPECT_EQ(Last(1).prepare().rank(), 1);  // by name
  EXPECT_EQ(Last(2).prepare().rank(), 0);
  EXPECT_EQ(Last(2).prepare().members(0).mesh_address(), "mesh:a");
  EXPECT_EQ(Last(1).prepare().layout(), Last(2).prepare().layout());
  EXPECT_EQ(Last(1).prepare().group_key(), Last(2).prepare().group_key());
  EXPECT_EQ(Last(1).prepare().group_key().size(), 32u);
  EXPECT_EQ(membership_.epoch().incarnation(), kRouter);
}

TEST_F(MembershipTest, R2CommitsOnlyWhenAllArePrepared) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  Prepare(1);
  EXPECT_TRUE(Last(1).has_prepare());
  Prepare(2);
  EXPECT_TRUE(Last(1).has_commit());
  EXPECT_TRUE(Last(2).has_commit());
  EXPECT_FALSE(membership_.serving());  // until each says that it runs
  Beat(1, membership_.epoch());
  EXPECT_TRUE(ups_.empty());
  Beat(2, membership_.epoch());
  ASSERT_EQ(ups_.size(), 1u);
  EXPECT_EQ(ups_[0].by_rank, std::vector<ConnectionId>({1, 2}));
  EXPECT_TRUE(membership_.serving());
  EXPECT_EQ(membership_.WaitingFor(), "");
}

TEST_F(MembershipTest, R2AnotherLayoutAbandonsTheEpoch) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  v1::WorkerMessage message;
  *message.mutable_prepared()->mutable_epoch() = membership_.epoch();
  message.mutable_prepared()->set_layout("other");
  Keep(membership_.OnMessage(1, message, now_));
  EXPECT_TRUE(Last(1).has_abandon());
  EXPECT_TRUE(Last(2).has_abandon());
  EXPECT_NE(membership_.WaitingFor().find("layout other"), std::string::npos);
}

TEST_F(MembershipTest, PreparedOfAnotherEpochDoesNotCount) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  v1::WorkerMessage message;
  message.mutable_prepared()->mutable_epoch()->set_number(membership_.epoch().number());
  message.mutable_prepared()->mutable_epoch()->set_incarnation(kRouter + 1);
  message.mutable_prepared()->set_layout(Last(1).prepare().layout());
  Keep(membership_.OnMessage(1, message, now_));
  Prepare(2);
  EXPECT_FALSE(Last(1).has_commit());
}

TEST_F(MembershipTest, R1TheNumberExceedsEveryPromiseReported) {
  v1::Join join = JoinOf("a");
  join.mutable_highest_promise()->set_number(41);
  join.mutable_highest_promise()->set_incarnation(7);
  Join(1, join);
  Join(2, JoinOf("b"));
  EXPECT_EQ(membership_.epoch().number(), 42u);
  Refuse(2, membership_.epoch(), 99);
  EXPECT_TRUE(Last(1).has_abandon());
  Pass(Options().retry);
  Keep(membership_.Tick(now_));
  EXPECT_EQ(membership_.epoch().number(), 100u);
}

TEST_F(MembershipTest, APromiseThatLeavesNoRoomIsRejected) {
  v1::Join join = JoinOf("a");
  join.mutable_highest_promise()->set_number(~uint64_t{0});
  Join(1, join);
  ASSERT_TRUE(Last(1).has_rejected());
  EXPECT_EQ(Last(1).rejected().field(), "highest_promise");
}

TEST_F(MembershipTest, ARefusalMayAskForTimeAndIsBounded) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  Refuse(1, membership_.epoch(), 0, 1'000'000'000);
  Pass(Options().lease - absl::Milliseconds(1));
  Beat(1, {});
  Beat(2, {});
  EXPECT_EQ(membership_.epoch().number(), 0u);
  Pass(absl::Milliseconds(1));
  Keep(membership_.Tick(now_));
  EXPECT_EQ(membership_.epoch().number(), 2u);
}

TEST_F(MembershipTest, ALostMemberEndsTheGroupAtOnceNamingTheRank) {
  const v1::Epoch epoch = Serve();
  Keep(membership_.OnClosed(2, "connection reset", now_));
  ASSERT_EQ(downs_.size(), 1u);
  EXPECT_TRUE(downs_[0].epoch == epoch);
  EXPECT_EQ(downs_[0].why.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(downs_[0].why.message(), "rank 1 (b) lost: connection reset");
  ASSERT_TRUE(Last(1).has_abandon());
  EXPECT_EQ(Last(1).abandon().reason(), "rank 1 (b) lost: connection reset");
  EXPECT_FALSE(membership_.serving());
  EXPECT_EQ(membership_.WaitingFor(), "workers for 1 of 2 ranks: 1");
}

TEST_F(MembershipTest, FormsAnewWhenTheRankIsBackWithAHigherEpoch) {
  const v1::Epoch first = Serve();
  Keep(membership_.OnClosed(1, "reset", now_));
  Join(3, JoinOf("a", 2));
  ASSERT_TRUE(Last(2).has_prepare());
  EXPECT_EQ(Last(2).prepare().rank(), 1);  // each keeps its share
  EXPECT_EQ(Last(3).prepare().rank(), 0);
  EXPECT_TRUE(first < membership_.epoch());
}

TEST_F(MembershipTest, ASpareTakesTheFreeRank) {
  Serve();
  Join(3, JoinOf("0-sorts-first"));
  EXPECT_TRUE(Last(3).has_welcome());
  EXPECT_TRUE(membership_.serving());
  Keep(membership_.OnClosed(1, "reset", now_));
  ASSERT_TRUE(Last(3).has_prepare());
  EXPECT_EQ(Last(3).prepare().rank(), 0);
  EXPECT_EQ(Last(2).prepare().rank(), 1);
}

TEST_F(MembershipTest, ANewProcessOfTheSameNameReplacesTheOld) {
  Serve();
  Join(3, JoinOf("b", 9));
  EXPECT_EQ(closed_, std::vector<ConnectionId>({2}));
  EXPECT_TRUE(Last(2).has_abandon() || Last(2).has_rejected());
  ASSERT_EQ(downs_.size(), 1u);
  ASSERT_TRUE(Last(3).has_prepare());
  EXPECT_EQ(Last(3).prepare().rank(), 1);
}

TEST_F(MembershipTest, TheSameProcessDiallingAgainIsNotRejected) {
  Serve();
  const size_t before = sent_[2].size();
  Join(3, JoinOf("b", 1));
  EXPECT_EQ(sent_[2].size(), before);
  EXPECT_EQ(closed_, std::vector<ConnectionId>({2}));
}

TEST_F(MembershipTest, ARankGivenToTwoNamesIsRefusedToTheSecond) {
  v1::Join first = JoinOf("a"), second = JoinOf("b");
  first.set_desired_rank(1);
  second.set_desired_rank(1);
  Join(1, first);
  Join(2, second);
  ASSERT_TRUE(Last(2).has_rejected());
  EXPECT_EQ(Last(2).rejected().field(), "desired_rank");
  EXPECT_NE(Last(2).rejected().reason().find("rank 1 taken by a"), std::string::npos);
  EXPECT_EQ(closed_, std::vector<ConnectionId>({2}));
}

TEST_F(MembershipTest, AMisfitIsRejectedWhileTheOthersServeOn) {
  Serve();
  v1::Join misfit = JoinOf("c");
  misfit.set_weight_digest("other");
  Join(3, misfit);
  ASSERT_TRUE(Last(3).has_rejected());
  EXPECT_EQ(Last(3).rejected().expected(), "wts");
  EXPECT_EQ(Last(3).rejected().actual(), "other");
  EXPECT_TRUE(membership_.serving());
}

TEST_F(MembershipTest, SameTensorsWithOtherBytesAreRejectedBeforeTheCommit) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  Prepare(1);
  v1::WorkerMessage message;
  *message.mutable_prepared()->mutable_epoch() = membership_.epoch();
  message.mutable_prepared()->set_layout(Last(2).prepare().layout());
  message.mutable_prepared()->set_loaded_weights("other");
  Keep(membership_.OnMessage(1, message, now_));  // the first to name its bytes defines them
  message.mutable_prepared()->set_loaded_weights("bytes");
  Keep(membership_.OnMessage(2, message, now_));
  EXPECT_FALSE(Last(1).has_commit());
  EXPECT_EQ(closed_, std::vector<ConnectionId>({2}));
  bool rejected = false;
  for (const auto& m : sent_[2]) {
    rejected |= m.rejected().field() == "loaded_weights" && m.rejected().expected() == "other" &&
                m.rejected().actual() == "bytes";
  }
  EXPECT_TRUE(rejected);
}

TEST_F(MembershipTest, WhenAllAreGoneOtherWeightsMayCome) {
  Join(1, JoinOf("a"));
  Keep(membership_.OnClosed(1, "gone", now_));
  v1::Join other = JoinOf("a");
  other.set_weight_digest("new");
  Join(2, other);
  EXPECT_TRUE(Last(2).has_welcome());
}

TEST_F(MembershipTest, SilenceForTheLeaseIsALoss) {
  const v1::Epoch epoch = Serve();
  Pass(Options().lease);
  Beat(1, epoch);
  Keep(membership_.Tick(now_));
  EXPECT_TRUE(membership_.serving());
  Pass(absl::Milliseconds(1));
  Keep(membership_.Tick(now_));
  ASSERT_EQ(downs_.size(), 1u);
  EXPECT_NE(downs_[0].why.message().find("rank 1 (b) lost: silent for 2.001s"), std::string::npos);
  EXPECT_EQ(closed_, std::vector<ConnectionId>({2}));
}

TEST_F(MembershipTest, ALiveControlThreadOverAHungEngineCountsAsHung) {
  const v1::Epoch epoch = Serve();
  const absl::Duration limit = Options().step_deadline + Options().lease;
  for (absl::Duration d; d <= limit; d += absl::Seconds(1)) {
    EXPECT_TRUE(membership_.serving());
    Beat(1, epoch, /*running=*/0);
    Beat(2, epoch, /*running=*/1, /*passes=*/5);
    Keep(membership_.Tick(now_));
    Pass(absl::Seconds(1));
  }
  Beat(1, epoch);
  Beat(2, epoch, 1, 5);
  Keep(membership_.Tick(now_));
  EXPECT_FALSE(membership_.serving());
  ASSERT_EQ(closed_, std::vector<ConnectionId>({2}));
  EXPECT_NE(downs_[0].why.message().find("its engine hangs"), std::string::npos);
}

TEST_F(MembershipTest, ASuspicionEndsTheEpochButEvictsNobody) {
  const v1::Epoch epoch = Serve();
  v1::WorkerMessage message;
  *message.mutable_suspect()->mutable_epoch() = epoch;
  message.mutable_suspect()->set_evidence("rank 1: connection closed");
  Keep(membership_.OnMessage(1, message, now_));
  ASSERT_EQ(downs_.size(), 1u);
  EXPECT_EQ(downs_[0].why.message(), "seen by rank 0 (a): rank 1: connection closed");
  EXPECT_TRUE(closed_.empty());
  Pass(Options().retry);
  Keep(membership_.Tick(now_));
  EXPECT_TRUE(Last(2).has_prepare());
  // Of an old epoch: says nothing about this one.
  Keep(membership_.OnMessage(1, message, now_));
  EXPECT_TRUE(Last(2).has_prepare());
}

TEST_F(MembershipTest, PreparationLastsWhileSomebodyGetsFurther) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  Prepare(1);
  const auto live_for = [&](absl::Duration time) {
    for (absl::Duration d; d < time; d += absl::Seconds(1)) {
      Pass(absl::Seconds(1));
      Beat(1, {});
      Beat(2, {});
      Keep(membership_.Tick(now_));
    }
  };
  for (int i = 1; i <= 5; ++i) {
    live_for(Options().prepare_timeout - absl::Seconds(1));
    v1::WorkerMessage message;
    message.mutable_load_progress()->set_bytes_done(i);
    message.mutable_load_progress()->set_bytes_total(10);
    Keep(membership_.OnMessage(2, message, now_));
    EXPECT_EQ(membership_.epoch().number(), 1u);
  }
  EXPECT_TRUE(Last(1).has_prepare());
  live_for(Options().prepare_timeout + absl::Seconds(1));  // alive, but no further
  EXPECT_TRUE(Last(1).has_abandon() || Last(1).prepare().epoch().number() > 1);
}

TEST_F(MembershipTest, ALeaverIsReleasedWhenNobodyNeedsIt) {
  const v1::Epoch epoch = Serve();
  Beat(1, epoch, /*running=*/1, /*passes=*/1);
  v1::WorkerMessage message;
  message.mutable_leaving()->set_deadline_millis(1000);
  Keep(membership_.OnMessage(2, message, now_));
  EXPECT_TRUE(membership_.draining());
  EXPECT_TRUE(membership_.serving());  // what runs may finish
  for (int i = 0; i < 3; ++i) Beat(2, epoch);
  EXPECT_TRUE(membership_.serving());
  Beat(1, epoch, 0, 2);
  EXPECT_TRUE(membership_.serving());  // the beat may have crossed a submit
  Beat(1, epoch, 0, 2);
  EXPECT_FALSE(membership_.serving());
  ASSERT_EQ(downs_.size(), 1u);
  EXPECT_EQ(downs_[0].why.message(), "rank 1 (b) left");
  bool released = false;
  for (const auto& m : sent_[2]) released |= m.has_released();
  EXPECT_TRUE(released);
  EXPECT_EQ(membership_.epoch().number(), 0u);  // not formed anew with the leaver
}

TEST_F(MembershipTest, ASpareLeavesAtOnce) {
  Join(1, JoinOf("a"));
  v1::WorkerMessage message;
  message.mutable_leaving();
  Keep(membership_.OnMessage(1, message, now_));
  EXPECT_TRUE(Last(1).has_released());
}

TEST_F(MembershipTest, AWorkerThatHoldsAShareGetsItsRankFromARestartedRouter) {
  v1::Join join = JoinOf("a");
  join.set_loaded_placement(PlacementDigest(Options().placement));
  join.set_loaded_rank(1);
  Join(1, join);
  Join(2, JoinOf("b"));
  EXPECT_EQ(Last(1).prepare().rank(), 1);
  EXPECT_EQ(Last(2).prepare().rank(), 0);
}

TEST_F(MembershipTest, WordsBeforeJoinAndFromTheClosedAreIgnored) {
  Beat(7, {});
  Keep(membership_.OnClosed(7, "x", now_));
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(membership_.State().ranks_size(), 0);
}

TEST_F(MembershipTest, StateShowsRanksAndLoading) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  v1::WorkerMessage message;
  message.mutable_load_progress()->set_bytes_done(1);
  message.mutable_load_progress()->set_bytes_total(4);
  Keep(membership_.OnMessage(2, message, now_));
  const v1::ClusterState state = membership_.State();
  ASSERT_EQ(state.ranks_size(), 2);
  EXPECT_EQ(state.ranks(1).rank(), 1);
  EXPECT_EQ(state.ranks(1).load_progress(), 0.25);
  EXPECT_FALSE(state.serving());
  EXPECT_EQ(state.group_size(), 2);
}

TEST_F(MembershipTest, LoadProgressStaysBetweenNothingAndAll) {
  Join(1, JoinOf("a"));
  Join(2, JoinOf("b"));
  v1::WorkerMessage message;
  message.mutable_beat()->set_state(v1::LOADING);
  Keep(membership_.OnMessage(2, message, now_));
  const struct {
    int64_t done, total;
    double progress;
  } cases[] = {{INT64_MAX, INT64_MAX, 1}, {7, 4, 1}, {-1, 4, 0}, {INT64_MIN, INT64_MIN, 0}};
  for (const auto& c : cases) {
    message.mutable_load_progress()->set_bytes_done(c.done);
    message.mutable_load_progress()->set_bytes_total(c.total);
    Keep(membership_.OnMessage(2, message, now_));
    EXPECT_EQ(membership_.State().ranks(1).load_progress(), c.progress) << c.done;
  }
}

// What a model checker tells machines apart by.
TEST_F(MembershipTest, DigestTellsWhatDecidesAndNothingElse) {
  const v1::Epoch epoch = Serve();
  const Membership copy = membership_;
  EXPECT_EQ(copy.Digest(now_), membership_.Digest(now_));
  EXPECT_NE(copy.Digest(now_), copy.Digest(now_ + absl::Seconds(1)));  // the lease runs
  Beat(1, epoch);
  EXPECT_EQ(copy.Digest(now_), membership_.Digest(now_));
  Refuse(1, epoch, /*promise=*/99);
  EXPECT_NE(copy.Digest(now_), membership_.Digest(now_));  // R1
}

}  // namespace
}  // namespace shoal
