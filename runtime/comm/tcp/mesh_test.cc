// How groups come to be, and how they refuse to.
#include "runtime/comm/tcp/mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

#include "runtime/comm/tcp/hello.h"
#include "runtime/comm/tcp/mesh_fixture.h"
#include "runtime/comm/tcp/raw_peer.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Milliseconds(150); }
absl::Time Later() { return absl::Now() + absl::Seconds(20); }

// Both ranks of a group of two connect, rank 1 with `change` made to its spec.
std::pair<absl::Status, absl::Status> ConnectTwo(const std::function<void(MeshSpec&)>& change,
                                                 absl::Time deadline) {
  MeshFixture fixture(2);
  std::pair<absl::Status, absl::Status> result;
  absl::StatusOr<MeshGroup> zero, one;
  std::thread other([&] {
    MeshSpec spec = fixture.Spec(1);
    change(spec);
    one = fixture.listeners[1]->Connect(spec, deadline);
  });
  zero = fixture.listeners[0]->Connect(fixture.Spec(0), deadline);
  other.join();
  return {zero.status(), one.status()};
}

TEST(Mesh, RefusesAnotherLayoutWithBothValues) {
  const auto [zero, one] = ConnectTwo([](MeshSpec& spec) { spec.layout = "b layout"; }, Later());
  EXPECT_EQ(zero.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(zero.message(), HasSubstr("rank 1 at 127.0.0.1:"));
  EXPECT_THAT(zero.message(), HasSubstr("layout is a layout here and b layout there"));
  EXPECT_EQ(one.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(one.message(), HasSubstr("rank 0 at 127.0.0.1:"));
  EXPECT_THAT(one.message(), HasSubstr("layout is b layout here and a layout there"));
}

TEST(Mesh, RefusesAnotherCluster) {
  const auto [zero, one] = ConnectTwo([](MeshSpec& spec) { spec.cluster = "prod"; }, Later());
  EXPECT_EQ(zero.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(zero.message(), HasSubstr("cluster is test here and prod there"));
  EXPECT_EQ(one.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(one.message(), HasSubstr("cluster is prod here and test there"));
}

TEST(Mesh, RefusesAnotherKey) {
  const auto [zero, one] = ConnectTwo([](MeshSpec& spec) { spec.group_key[31] = 'x'; }, Soon());
  EXPECT_EQ(zero.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(zero.message(), HasSubstr("rank 1 at 127.0.0.1:"));
  EXPECT_THAT(zero.message(), HasSubstr("not signed with this epoch's group key"));
  EXPECT_EQ(one.code(), absl::StatusCode::kDeadlineExceeded);
}

// Another epoch may become ours, so both wait for it until the deadline.
TEST(Mesh, RefusesAnotherEpochAtTheDeadline) {
  for (const bool number : {true, false}) {
    const auto [zero, one] = ConnectTwo(
        [&](MeshSpec& spec) { ++(number ? spec.epoch_number : spec.epoch_incarnation); }, Soon());
    const char* other = number ? "8/0000000000c0ffee" : "7/0000000000c0ffef";
    EXPECT_EQ(zero.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(zero.message(),
                HasSubstr(std::string("epoch is 7/0000000000c0ffee here and ") + other + " there"));
    EXPECT_EQ(one.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(one.message(),
                HasSubstr(std::string("epoch is ") + other + " here and 7/0000000000c0ffee there"));
  }
}

TEST(Mesh, RefusesARankAtAnothersAddress) {
  MeshFixture fixture(3);
  MeshSpec zero = fixture.Spec(0);
  std::swap(zero.addresses[1], zero.addresses[2]);
  std::atomic<int> returned = 0;
  std::vector<std::thread> others;
  for (int r : {1, 2}) {
    others.emplace_back([&, r] {
      EXPECT_FALSE(fixture.listeners[r]->Connect(fixture.Spec(r), Later()).ok());
      ++returned;
    });
  }
  const absl::Status refused = fixture.listeners[0]->Connect(zero, Later()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), AnyOf(HasSubstr("rank is 1 here and 2 there"),
                                       HasSubstr("rank is 2 here and 1 there")));
  while (returned < 2) {
    for (int r : {1, 2}) fixture.listeners[r]->Cancel();
    std::this_thread::yield();
  }
  for (std::thread& t : others) t.join();
}

TEST(Mesh, AnAbsentRankIsNamedAtTheDeadline) {
  MeshFixture fixture(3);
  const MeshSpec spec = fixture.Spec(1);
  const std::string absent = spec.addresses[2];
  fixture.listeners[2].reset();
  const absl::Status status = fixture.listeners[1]->Connect(spec, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("rank 0 at " + spec.addresses[0] + ": not heard of"));
  EXPECT_THAT(status.message(), HasSubstr("rank 2 at " + absent + ": Connection refused"));
}

TEST(Mesh, ALateRankIsWaitedFor) {
  MeshFixture fixture(2);
  std::string address = fixture.listeners[1]->address();
  const MeshSpec zero = fixture.Spec(0), one = fixture.Spec(1);
  fixture.listeners[1].reset();  // nobody listens at first
  std::thread early([&] { EXPECT_TRUE(fixture.listeners[0]->Connect(zero, Later()).ok()); });
  auto late = MeshListener::Bind(address);
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_TRUE((*late)->Connect(one, Later()).ok());
  early.join();
}

TEST(Mesh, CancelEndsConnect) {
  MeshFixture fixture(2);
  std::thread canceller;
  absl::Status status;
  // A cancel before Connect has begun has no effect, so it is repeated until it had one.
  std::atomic<bool> returned = false;
  canceller = std::thread([&] {
    while (!returned) {
      fixture.listeners[0]->Cancel();
      std::this_thread::yield();
    }
  });
  status = fixture.listeners[0]->Connect(fixture.Spec(0), Later()).status();
  returned = true;
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
}

TEST(Mesh, OneListenerServesEpochAfterEpoch) {
  MeshFixture fixture(3);
  for (uint64_t epoch = 1; epoch <= 4; ++epoch) {
    std::vector<std::thread> threads;
    for (int r = 0; r < 3; ++r) {
      threads.emplace_back([&, r] {
        MeshSpec spec = fixture.Spec(r);
        spec.epoch_number = epoch;
        spec.group_key = std::string(32, static_cast<char>('a' + epoch));
        auto group = fixture.listeners[r]->Connect(spec, Later());
        ASSERT_TRUE(group.ok()) << group.status();
        const auto votes =
            group->agreement->Exchange({.rows = static_cast<uint32_t>(10 * epoch + r)});
        ASSERT_TRUE(votes.ok()) << votes.status();
        for (int peer = 0; peer < 3; ++peer) EXPECT_EQ((*votes)[peer].rows, 10 * epoch + peer);
      });
    }
    for (std::thread& t : threads) t.join();
  }
}

TEST(Mesh, BadSpecsAndAddresses) {
  MeshFixture fixture(1);
  const auto refused = [&](const std::function<void(MeshSpec&)>& change) {
    MeshSpec spec = fixture.Spec(0);
    change(spec);
    const absl::Status status = fixture.listeners[0]->Connect(spec, Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](MeshSpec& s) { s.rank = 1; }), HasSubstr("rank 1 of 1"));
  EXPECT_THAT(refused([](MeshSpec& s) { s.group_key = "short"; }),
              HasSubstr("group key of 5 bytes, not 32"));
  EXPECT_THAT(refused([](MeshSpec& s) { s.cluster = std::string(600, 'c'); }),
              HasSubstr("600 bytes"));
  EXPECT_THAT(refused([](MeshSpec& s) { s.addresses.push_back("nonsense"); }),
              HasSubstr("\"nonsense\""));
  const auto in_use = MeshListener::Bind(fixture.listeners[0]->address());
  EXPECT_EQ(in_use.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(in_use.status().message(),
              HasSubstr(fixture.listeners[0]->address() + ": Address already in use"));
}

// Whatever strangers send while the group forms, it forms.
TEST(Mesh, StrangersDisturbNobody) {
  MeshFixture fixture(2);
  const auto stranger = [&](const std::string& bytes) {
    auto fd = internal::StartConnect(*internal::ResolveAddress(fixture.listeners[1]->address()));
    EXPECT_TRUE(fd.ok());
    auto peer = std::make_unique<internal::RawPeer>(*std::move(fd));
    peer->Send(bytes);
    return peer;
  };
  internal::Hello forged;
  forged.cluster = "test";
  forged.epoch = {7, 0xc0ffee};
  forged.layout = "a layout";
  forged.from = 0, forged.to = 1;
  forged.nonce = std::string(internal::Hello::kNonceBytes, 'n');
  const std::string hello = internal::EncodeHello(forged);
  std::string endless = hello;
  endless[8] = endless[9] = endless[10] = static_cast<char>(0xff);  // a length of 16 MB
  std::vector<std::unique_ptr<internal::RawPeer>> strangers;
  strangers.push_back(stranger("GET / HTTP/1.1\r\n\r\n"));
  strangers.push_back(stranger(""));
  strangers.push_back(stranger(hello));  // never proves itself
  strangers.push_back(stranger(hello + std::string(internal::kProofBytes, 'p')));
  strangers.push_back(stranger(endless));
  strangers.push_back(stranger(hello.substr(0, 40)));
  strangers.back()->Close();
  std::thread zero(
      [&] { EXPECT_TRUE(fixture.listeners[0]->Connect(fixture.Spec(0), Later()).ok()); });
  const auto one = fixture.listeners[1]->Connect(fixture.Spec(1), Later());
  zero.join();
  EXPECT_TRUE(one.ok()) << one.status();
}

// A flood of silent connections, more than the table holds, comes before the true peer.
TEST(Mesh, AFloodOfStrangersDisturbsNobody) {
  MeshFixture fixture(2);
  std::vector<internal::Fd> flood;
  for (int i = 0; i < 100; ++i) {
    auto fd = internal::StartConnect(*internal::ResolveAddress(fixture.listeners[1]->address()));
    ASSERT_TRUE(fd.ok()) << fd.status();
    flood.push_back(*std::move(fd));
  }
  std::thread zero(
      [&] { EXPECT_TRUE(fixture.listeners[0]->Connect(fixture.Spec(0), Later()).ok()); });
  EXPECT_TRUE(fixture.listeners[1]->Connect(fixture.Spec(1), Later()).ok());
  zero.join();
}

TEST(Hello, ProofsBindEverything) {
  const std::string proof = internal::Proof("key", internal::Role::kDialer, "a", "b");
  EXPECT_EQ(proof.size(), internal::kProofBytes);
  EXPECT_EQ(proof, internal::Proof("key", internal::Role::kDialer, "a", "b"));
  EXPECT_NE(proof, internal::Proof("kez", internal::Role::kDialer, "a", "b"));
  EXPECT_NE(proof, internal::Proof("key", internal::Role::kAcceptor, "a", "b"));
  EXPECT_NE(proof, internal::Proof("key", internal::Role::kDialer, "b", "a"));
}

// A stranger may call itself anything, before it is known; the message is one line.
TEST(Hello, WhatAStrangerSaysForgesNoLine) {
  internal::Hello mine, theirs;
  mine.cluster = "ours";
  theirs.cluster = "x\nERROR";
  EXPECT_EQ(internal::CompareHello(mine, theirs, 0).message(),
            "cluster is ours here and x\\nERROR there");
}

TEST(Hello, MalformedHellosAreRefused) {
  internal::Hello hello;
  hello.nonce = std::string(internal::Hello::kNonceBytes, 'n');
  hello.cluster = "c";
  const std::string body = internal::EncodeHello(hello).substr(internal::kHelloPrefixBytes);
  ASSERT_TRUE(internal::DecodeHello(body).ok());
  EXPECT_EQ(internal::DecodeHello(body)->cluster, "c");
  for (size_t n = 0; n < body.size(); ++n)
    EXPECT_FALSE(internal::DecodeHello(body.substr(0, n)).ok());
  EXPECT_FALSE(internal::DecodeHello(body + "x").ok());
  hello.to = uint32_t{1} << 31;
  EXPECT_FALSE(
      internal::DecodeHello(internal::EncodeHello(hello).substr(internal::kHelloPrefixBytes)).ok());
  hello.to = 0;
  hello.nonce = "short";
  EXPECT_FALSE(
      internal::DecodeHello(internal::EncodeHello(hello).substr(internal::kHelloPrefixBytes)).ok());
}

}  // namespace
}  // namespace shoal
