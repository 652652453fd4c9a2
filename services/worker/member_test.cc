#include "services/worker/member.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/comm/lost_rank.h"
#include "services/router/cluster/protocol.h"

namespace shoal {
namespace {

constexpr uint64_t kRouter = 0xa, kOther = 0xb;

class MemberTest : public testing::Test {
 protected:
  static v1::Join Identity() {
    v1::Join join;
    join.mutable_worker()->set_name("w1");
    join.mutable_worker()->set_incarnation(5);
    join.set_config_digest("cfg");
    join.set_weight_digest("wts");
    join.set_numerics_id("n1");
    return join;
  }

  static v1::Epoch EpochOf(uint64_t number, uint64_t router = kRouter) {
    v1::Epoch epoch;
    epoch.set_number(number);
    epoch.set_incarnation(router);
    return epoch;
  }
  // As a good router prepares it: this worker is rank 1 of 2.
  static v1::Prepare PrepareOf(uint64_t number, uint64_t router = kRouter) {
    v1::Prepare prepare;
    *prepare.mutable_epoch() = EpochOf(number, router);
    prepare.set_rank(1);
    for (int r = 0; r < 2; ++r) {
      v1::Member& member = *prepare.add_members();
      member.set_rank(r);
      member.set_mesh_address("mesh");
    }
    prepare.mutable_members(0)->mutable_worker()->set_name("w0");
    *prepare.mutable_members(1)->mutable_worker() = Identity().worker();
    prepare.set_layout(LayoutDigest(prepare.members(), prepare.placement(), {"cfg", "wts", "n1"}));
    return prepare;
  }

  Member::Actions Hear(const v1::RouterMessage& m) { return member_.OnMessage(m, now_); }
  Member::Actions Welcome(uint64_t router = kRouter) {
    v1::RouterMessage m;
    m.mutable_welcome()->set_router_incarnation(router);
    m.mutable_welcome()->set_lease_millis(2000);
    return Hear(m);
  }
  Member::Actions Prepare(const v1::Prepare& prepare) {
    v1::RouterMessage m;
    *m.mutable_prepare() = prepare;
    return Hear(m);
  }
  Member::Actions Commit(const v1::Epoch& epoch) {
    v1::RouterMessage m;
    *m.mutable_commit()->mutable_epoch() = epoch;
    return Hear(m);
  }
  Member::Actions Abandon(const v1::Epoch& epoch) {
    v1::RouterMessage m;
    *m.mutable_abandon()->mutable_epoch() = epoch;
    m.mutable_abandon()->set_reason("rank 0 (w0) lost");
    return Hear(m);
  }
  void Serve(uint64_t number) {
    member_.OnConnected();
    Welcome();
    Prepare(PrepareOf(number));
    member_.OnBuilt(EpochOf(number), absl::OkStatus());
    Commit(EpochOf(number));
    ASSERT_TRUE(member_.live());
  }

  template <typename T>
  static const T* Find(const Member::Actions& actions) {
    for (const MemberAction& a : actions) {
      if (const T* t = std::get_if<T>(&a)) return t;
    }
    return nullptr;
  }
  static std::optional<v1::Refused> RefusedIn(const Member::Actions& actions) {
    for (const MemberAction& a : actions) {
      const auto* send = std::get_if<SendToRouter>(&a);
      if (send != nullptr && send->message.has_refused()) return send->message.refused();
    }
    return std::nullopt;
  }
  static std::optional<v1::WorkerMessage> Sent(const Member::Actions& actions,
                                               v1::WorkerMessage::MessageCase which) {
    for (const MemberAction& a : actions) {
      const auto* send = std::get_if<SendToRouter>(&a);
      if (send != nullptr && send->message.message_case() == which) return send->message;
    }
    return std::nullopt;
  }

  Member member_{Identity()};
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(MemberTest, JoinSaysWhatItPromisedAndHolds) {
  Serve(3);
  member_.OnShareLoaded({1, "placement", "bytes", 10});
  member_.OnDisconnected();
  const auto joined = Sent(member_.OnConnected(), v1::WorkerMessage::kJoin);
  ASSERT_TRUE(joined.has_value());
  EXPECT_TRUE(joined->join().highest_promise() == EpochOf(3));
  EXPECT_TRUE(joined->join().committed_epoch() == EpochOf(3));
  EXPECT_EQ(joined->join().loaded_placement(), "placement");
  EXPECT_EQ(joined->join().loaded_rank(), 1);
}

TEST_F(MemberTest, PreparesBuildsAndServesOnCommit) {
  member_.OnConnected();
  Welcome();
  const auto on_prepare = Prepare(PrepareOf(1));
  ASSERT_NE(Find<BuildGroup>(on_prepare), nullptr);
  EXPECT_TRUE(member_.promise() == EpochOf(1));
  const auto on_built = member_.OnBuilt(EpochOf(1), absl::OkStatus());
  const auto prepared = Sent(on_built, v1::WorkerMessage::kPrepared);
  ASSERT_TRUE(prepared.has_value());
  EXPECT_EQ(prepared->prepared().layout(), PrepareOf(1).layout());
  EXPECT_FALSE(member_.live());
  const auto on_commit = Commit(EpochOf(1));
  ASSERT_NE(Find<AttachGroup>(on_commit), nullptr);
  EXPECT_TRUE(member_.live());
  // Not SERVING until a submit would find its group.
  EXPECT_EQ(Sent(member_.Tick({}), v1::WorkerMessage::kBeat)->beat().state(), v1::PREPARING);
  EXPECT_TRUE(member_.OnAttached(EpochOf(2)).empty());
  const auto beat = Sent(member_.OnAttached(EpochOf(1)), v1::WorkerMessage::kBeat);
  ASSERT_TRUE(beat.has_value());
  EXPECT_EQ(beat->beat().state(), v1::SERVING);
  EXPECT_TRUE(beat->beat().epoch() == EpochOf(1));
}

TEST_F(MemberTest, W1PromisesOnlyUpward) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(5));
  const auto refused = RefusedIn(Prepare(PrepareOf(4)));
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(refused->epoch() == EpochOf(4));
  EXPECT_TRUE(refused->highest_promise() == EpochOf(5));
  // The same number of a lower incarnation is lower too.
  EXPECT_TRUE(RefusedIn(Prepare(PrepareOf(5, kRouter - 1))).has_value());
  EXPECT_NE(Find<BuildGroup>(Prepare(PrepareOf(6))), nullptr);
  EXPECT_TRUE(member_.promise() == EpochOf(6));
}

TEST_F(MemberTest, W1TheSameEpochWithAnotherLayoutIsRefused) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(5));
  v1::Prepare other = PrepareOf(5);
  other.set_layout("other");
  EXPECT_TRUE(RefusedIn(Prepare(other)).has_value());
}

TEST_F(MemberTest, W2LeavesTheOldGroupBeforeItBuilds) {
  Serve(1);
  const auto actions = Prepare(PrepareOf(2));
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<LeaveGroup>(actions[0]));
  EXPECT_TRUE(std::holds_alternative<BuildGroup>(actions[1]));
  EXPECT_FALSE(member_.live());
}

TEST_F(MemberTest, W3ACommitCountsOnlyForThePromiseAndWhenBuilt) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(1));
  EXPECT_EQ(Find<AttachGroup>(Commit(EpochOf(1))), nullptr);  // not built
  Prepare(PrepareOf(2));
  member_.OnBuilt(EpochOf(1), absl::OkStatus());  // of an epoch that is over
  EXPECT_EQ(Find<AttachGroup>(Commit(EpochOf(2))), nullptr);
  member_.OnBuilt(EpochOf(2), absl::OkStatus());
  EXPECT_EQ(Find<AttachGroup>(Commit(EpochOf(1))), nullptr);
  EXPECT_EQ(Find<AttachGroup>(Commit(EpochOf(2, kOther))), nullptr);
  EXPECT_NE(Find<AttachGroup>(Commit(EpochOf(2))), nullptr);
}

TEST_F(MemberTest, W3ACommitAfterAbandonIsLate) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(1));
  member_.OnBuilt(EpochOf(1), absl::OkStatus());
  EXPECT_NE(Find<StopBuild>(Abandon(EpochOf(1))), nullptr);
  EXPECT_EQ(Find<AttachGroup>(Commit(EpochOf(1))), nullptr);
  // And a Prepare that comes twice does not revive it.
  EXPECT_TRUE(Prepare(PrepareOf(1)).empty());
}

TEST_F(MemberTest, W4AnotherRoutersPrepareWaitsForTheLease) {
  Serve(1);
  member_.OnDisconnected();
  EXPECT_TRUE(member_.live());
  now_ += absl::Milliseconds(500);
  member_.OnConnected();
  Welcome(kOther);
  const auto refused = RefusedIn(Prepare(PrepareOf(2, kOther)));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->retry_after_millis(), 1500);
  EXPECT_TRUE(member_.live());
  EXPECT_TRUE(member_.promise() == EpochOf(1));
  now_ += absl::Milliseconds(1500);
  EXPECT_NE(Find<BuildGroup>(Prepare(PrepareOf(3, kOther))), nullptr);
  EXPECT_FALSE(member_.live());
}

TEST_F(MemberTest, W4DoesNotHoldWhenTheGroupIsBroken) {
  Serve(1);
  member_.OnGroupBroken(absl::UnavailableError("rank 0: closed"));
  EXPECT_NE(Find<BuildGroup>(Prepare(PrepareOf(2, kOther))), nullptr);
}

TEST_F(MemberTest, ABrokenGroupIsSuspectedAndLeft) {
  Serve(1);
  const auto actions = member_.OnGroupBroken(absl::UnavailableError("rank 0: closed"));
  ASSERT_NE(Find<LeaveGroup>(actions), nullptr);
  const auto suspect = Sent(actions, v1::WorkerMessage::kSuspect);
  ASSERT_TRUE(suspect.has_value());
  EXPECT_TRUE(suspect->suspect().epoch() == EpochOf(1));
  EXPECT_EQ(suspect->suspect().evidence(), "rank 0: closed");
  EXPECT_EQ(suspect->suspect().rank(), -1);  // the words name one, the status blames none
  EXPECT_TRUE(member_.OnGroupBroken(absl::UnavailableError("again")).empty());
}

TEST_F(MemberTest, ASuspicionCarriesTheBlamedRank) {
  Serve(1);
  const auto suspect =
      Sent(member_.OnGroupBroken(LostRankError(3, "closed")), v1::WorkerMessage::kSuspect);
  ASSERT_TRUE(suspect.has_value());
  EXPECT_EQ(suspect->suspect().rank(), 3);
}

TEST_F(MemberTest, AbandonEndsTheGenerationsWithTheRoutersReason) {
  Serve(1);
  EXPECT_TRUE(Abandon(EpochOf(2)).empty());
  const auto actions = Abandon(EpochOf(1));
  ASSERT_NE(Find<LeaveGroup>(actions), nullptr);
  EXPECT_EQ(Find<LeaveGroup>(actions)->why, absl::UnavailableError("rank 0 (w0) lost"));
}

TEST_F(MemberTest, WhatIsNotCommittedDiesWithTheStream) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(1));
  EXPECT_NE(Find<StopBuild>(member_.OnDisconnected()), nullptr);
  EXPECT_TRUE(member_.OnBuilt(EpochOf(1), absl::OkStatus()).empty());
}

TEST_F(MemberTest, ALayoutThatThisWorkerDoesNotHoldIsRefusedNamingBoth) {
  member_.OnConnected();
  Welcome();
  v1::Prepare prepare = PrepareOf(1);
  const std::string here = prepare.layout();
  prepare.set_layout(LayoutDigest(prepare.members(), prepare.placement(), {"cfg", "other", "n1"}));
  const auto refused = RefusedIn(Prepare(prepare));
  ASSERT_TRUE(refused.has_value());
  EXPECT_NE(refused->reason().find(here), std::string::npos);
  EXPECT_NE(refused->reason().find(prepare.layout()), std::string::npos);
  EXPECT_EQ(member_.promise().number(), 0u);
}

TEST_F(MemberTest, AnotherProcessOfThisNameIsNotThisWorker) {
  member_.OnConnected();
  Welcome();
  v1::Prepare prepare = PrepareOf(1);
  prepare.mutable_members(1)->mutable_worker()->set_incarnation(6);
  EXPECT_TRUE(RefusedIn(Prepare(prepare)).has_value());
  prepare = PrepareOf(1);
  prepare.set_rank(2);
  EXPECT_TRUE(RefusedIn(Prepare(prepare)).has_value());
  prepare = PrepareOf(1);
  prepare.mutable_members(0)->set_rank(1);
  EXPECT_TRUE(RefusedIn(Prepare(prepare)).has_value());
}

TEST_F(MemberTest, AGroupThatCannotBeBuiltIsRefused) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(1));
  const auto refused =
      RefusedIn(member_.OnBuilt(EpochOf(1), absl::UnavailableError("rank 0 does not answer")));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->reason(), "rank 0 does not answer");
}

TEST_F(MemberTest, WhoCannotLoadSaysSoAndStops) {
  member_.OnConnected();
  Welcome();
  Prepare(PrepareOf(1));
  const auto actions = member_.OnLoadFailed(absl::DataLossError("model-2: short read"));
  EXPECT_TRUE(RefusedIn(actions).has_value());
  ASSERT_NE(Find<StopWorker>(actions), nullptr);
  EXPECT_EQ(Find<StopWorker>(actions)->cause, StopWorker::Cause::kCannotLoad);
}

TEST_F(MemberTest, BeatsTellTheState) {
  member_.OnConnected();
  Welcome();
  const auto state = [&] {
    return Sent(member_.Tick({}), v1::WorkerMessage::kBeat)->beat().state();
  };
  EXPECT_EQ(state(), v1::READY);
  Prepare(PrepareOf(1));
  EXPECT_EQ(state(), v1::PREPARING);
  member_.OnLoadProgress(1, 2);
  EXPECT_EQ(state(), v1::LOADING);
  member_.OnLoadProgress(2, 2);
  EXPECT_EQ(state(), v1::PREPARING);
}

TEST_F(MemberTest, NothingIsSentWithoutAStream) {
  EXPECT_TRUE(member_.Tick({}).empty());
  EXPECT_TRUE(member_.Leave(absl::Seconds(1)).empty());
  EXPECT_TRUE(Sent(member_.OnConnected(), v1::WorkerMessage::kLeaving).has_value());
}

TEST_F(MemberTest, ALeaverTakesNoNewEpochAndStopsWhenReleased) {
  Serve(1);
  v1::RouterMessage released;
  released.mutable_released();
  EXPECT_EQ(Find<StopWorker>(Hear(released)), nullptr);  // it did not ask
  member_.Leave(absl::Seconds(1));
  EXPECT_TRUE(RefusedIn(Prepare(PrepareOf(2))).has_value());
  EXPECT_TRUE(member_.live());
  ASSERT_NE(Find<StopWorker>(Hear(released)), nullptr);
}

TEST_F(MemberTest, RejectedStops) {
  member_.OnConnected();
  v1::RouterMessage m;
  m.mutable_rejected()->set_reason("config_digest: the group has a, the worker b");
  const auto actions = Hear(m);
  ASSERT_NE(Find<StopWorker>(actions), nullptr);
  EXPECT_EQ(Find<StopWorker>(actions)->cause, StopWorker::Cause::kRejected);
  EXPECT_NE(Find<StopWorker>(actions)->why.message().find("a, the worker b"), std::string::npos);
}

// What a model checker tells machines apart by.
TEST_F(MemberTest, DigestTellsWhatDecidesAndNothingElse) {
  Serve(3);
  const Member copy = member_;
  EXPECT_EQ(copy.Digest(now_), member_.Digest(now_));
  member_.Observe({.passes = 7});
  EXPECT_EQ(copy.Digest(now_), member_.Digest(now_));  // beats tell it, nothing is decided by it
  EXPECT_NE(copy.Digest(now_), copy.Digest(now_ + copy.lease() / 2));  // W4
  EXPECT_EQ(copy.Digest(now_ + copy.lease()), copy.Digest(now_ + 9 * copy.lease()));
  Abandon(EpochOf(3));
  EXPECT_NE(copy.Digest(now_), member_.Digest(now_));
}

}  // namespace
}  // namespace shoal
