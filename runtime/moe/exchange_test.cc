#include "runtime/moe/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime/comm/loopback/loopback.h"
#include "runtime/comm/lost_rank.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

constexpr int kExperts = 16, kLayers = 3, kTopK = 4, kHidden = 37;

// One rank's half-batch: its activations as bits, and where they go.
struct Batch {
  std::vector<BF16> x;  // [T, kHidden]
  Routing routing;

  int64_t rows() const { return routing.rows(); }
};

// What an expert does to a row, without rounding: every expert gives other bits.
BF16 Expert(int layer, int expert, BF16 v) {
  return {static_cast<uint16_t>(v.bits * 31 + expert * 257 + layer * 7919)};
}

Batch RandomBatch(std::mt19937& rng, int rows) {
  Batch b;
  b.routing.k = kTopK;
  for (int i = 0; i < rows * kHidden; ++i) b.x.push_back({static_cast<uint16_t>(rng())});
  std::vector<int32_t> all(kExperts);
  std::iota(all.begin(), all.end(), 0);
  for (int t = 0; t < rows; ++t) {
    std::vector<int32_t> chosen;
    std::sample(all.begin(), all.end(), std::back_inserter(chosen), kTopK, rng);
    b.routing.expert.insert(b.routing.expert.end(), chosen.begin(), chosen.end());
    b.routing.weight.insert(b.routing.weight.end(), kTopK, 0.25f);
  }
  return b;
}

// The same rows, all for experts 0..kTopK-1.
Batch Crowded(Batch b) {
  for (size_t i = 0; i < b.routing.expert.size(); ++i)
    b.routing.expert[i] = static_cast<int32_t>(i % kTopK);
  return b;
}

// What must come home: no rank, no slot in sight.
std::vector<BF16> Direct(int layer, const Batch& b) {
  std::vector<BF16> home;
  for (size_t i = 0; i < b.routing.expert.size(); ++i) {
    for (int c = 0; c < kHidden; ++c) {
      home.push_back(Expert(layer, b.routing.expert[i], b.x[i / kTopK * kHidden + c]));
    }
  }
  return home;
}

std::vector<BF16> Values(const Tensor& t) {
  std::vector<BF16> v(static_cast<size_t>(t.rows * t.width()));
  if (!v.empty()) std::memcpy(v.data(), t.data, t.bytes());
  return v;
}

struct Rank {
  Communicator& comm;
  const ExpertPlacement& placement;
  HeapSource source;
  Arena arena{source};
  std::unique_ptr<ExpertExchange> exchange =
      NewHostExchange(comm, placement, {.hidden = kHidden, .top_k = kTopK, .act = DType::kBF16});

  Dispatched Begin(int channel, int layer, Batch& b) {
    return exchange->BeginDispatch(
        channel, layer, arena, Tensor::Of(b.x.data(), DType::kBF16, b.rows(), kHidden), b.routing);
  }
  // Runs the local experts in place.
  void Compute(Dispatched& d) {
    exchange->EndDispatch(arena, d);
    const auto experts = placement.ExpertsOf(d.layer, comm.rank());
    int64_t row = 0;
    for (size_t slot = 0; slot < experts.size(); ++slot) {
      for (int32_t i = 0; i < d.slot_rows[slot]; ++i, ++row) {
        for (int c = 0; c < kHidden; ++c) {
          BF16& v = d.x.At<BF16>(row)[c];
          v = Expert(d.layer, experts[slot], v);
        }
      }
    }
    EXPECT_EQ(row, d.x.rows);
    exchange->BeginCombine(arena, d, d.x);
  }
  std::vector<BF16> Home(Dispatched& d, const Batch& b) {
    const Tensor home = exchange->EndCombine(arena, d, b.routing);
    EXPECT_EQ(home.rows, static_cast<int64_t>(b.routing.expert.size()));
    return Values(home);
  }
};

using RankBody = std::function<void(Rank&)>;

// Runs `body` as every rank of a group, one thread each.
void RunRanks(const ExpertPlacement& placement, const RankBody& body) {
  std::vector<LoopbackRank> group = LoopbackGroup(placement.ranks());
  std::vector<std::thread> threads;
  for (LoopbackRank& r : group) {
    threads.emplace_back([&] {
      Rank rank{*r.comm, placement};
      body(rank);
    });
  }
  for (std::thread& t : threads) t.join();
}

ExpertPlacement Contiguous(int ranks) {
  return *ExpertPlacement::Contiguous(kLayers, kExperts, ranks);
}

class ExchangeOverRanks : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, ExchangeOverRanks, ::testing::Values(1, 2, 4, 8, 16));

// Ragged batches, ranks without any, several layers and passes with the same arena.
TEST_P(ExchangeOverRanks, EveryPairComesHomeOnceAndUntouched) {
  const ExpertPlacement placement = Contiguous(GetParam());
  RunRanks(placement, [&](Rank& rank) {
    for (int pass = 0; pass < 7; ++pass) {
      rank.arena.Reset();
      std::mt19937 rng(100 * rank.comm.rank() + pass);
      for (int layer = 0; layer < kLayers; ++layer) {
        const int rows = (rank.comm.rank() + pass) % 3 == 0 ? 0 : static_cast<int>(rng() % 23);
        Batch b = RandomBatch(rng, rows);
        if (pass == 5) b = Crowded(b);
        Dispatched d = rank.Begin(layer % 2, layer, b);
        rank.Compute(d);
        EXPECT_TRUE(rank.Home(d, b) == Direct(layer, b)) << "pass " << pass << " layer " << layer;
      }
    }
    EXPECT_TRUE(rank.comm.status().ok()) << rank.comm.status();
  });
}

TEST_P(ExchangeOverRanks, NobodyHasRows) {
  RunRanks(Contiguous(GetParam()), [&](Rank& rank) {
    Batch b;
    b.routing.k = kTopK;
    Dispatched d = rank.Begin(0, 1, b);
    rank.Compute(d);
    EXPECT_EQ(d.x.rows, 0);
    EXPECT_TRUE(rank.Home(d, b).empty());
    EXPECT_TRUE(rank.comm.status().ok());
  });
}

// Both half-batches in flight at once, each in its own channel.
TEST_P(ExchangeOverRanks, TwoHalfBatchesDoNotMix) {
  RunRanks(Contiguous(GetParam()), [&](Rank& rank) {
    std::mt19937 rng(rank.comm.rank());
    for (int pass = 0; pass < 3; ++pass) {
      Batch a = RandomBatch(rng, 11), b = RandomBatch(rng, 5);
      Dispatched da = rank.Begin(0, 0, a), db = rank.Begin(1, 0, b);
      rank.Compute(da);
      rank.Compute(db);
      EXPECT_TRUE(rank.Home(da, a) == Direct(0, a));
      EXPECT_TRUE(rank.Home(db, b) == Direct(0, b));
    }
  });
}

// The bitwise law's part in the exchange: a placement with replicas, another with other slots, one
// rank or many: the same bytes come home.
TEST_P(ExchangeOverRanks, ReplicasChangeNothing) {
  std::mt19937 rng(GetParam());
  std::vector<double> load(kLayers * kExperts);
  for (double& l : load) l = rng() % 100;
  std::vector<int32_t> domain(GetParam());
  for (size_t r = 0; r < domain.size(); ++r) domain[r] = static_cast<int32_t>(r / 2);
  const int slots = std::min(kExperts, kExperts / GetParam() + 2);
  const ExpertPlacement placement = *ExpertPlacement::Balance(kLayers, load, domain, slots, 1);
  RunRanks(placement, [&](Rank& rank) {
    std::mt19937 rng(1000 + rank.comm.rank());
    for (int layer = 0; layer < kLayers; ++layer) {
      Batch b = RandomBatch(rng, 13);
      Dispatched d = rank.Begin(0, layer, b);
      rank.Compute(d);
      EXPECT_TRUE(rank.Home(d, b) == Direct(layer, b)) << "layer " << layer;
    }
  });
}

TEST(Exchange, ATokenTravelsOncePerRank) {
  RunRanks(Contiguous(2), [&](Rank& rank) {
    std::mt19937 rng(1);
    Batch b = Crowded(RandomBatch(rng, 50));  // all for rank 0, four pairs a token
    if (rank.comm.rank() == 0) b = RandomBatch(rng, 0);
    Dispatched d = rank.Begin(0, 0, b);
    if (rank.comm.rank() == 1) {
      const int64_t tables = 64 * ((16 + 2 * 50 + 2 * 200 + 63) / 64);
      EXPECT_EQ(rank.comm.traffic().bytes_sent, tables + 50 * kHidden * 2);
    }
    rank.Compute(d);
    EXPECT_TRUE(rank.Home(d, b) == Direct(0, b));
    if (rank.comm.rank() == 1) {
      EXPECT_EQ(rank.comm.traffic().bytes_received, 200 * kHidden * 2);
    }
  });
}

TEST(Exchange, WithinASlotRowsComeByRankThenToken) {
  RunRanks(Contiguous(4), [&](Rank& rank) {
    Batch b;
    b.routing.k = 1;
    for (int t = 0; t < 3; ++t) {
      b.routing.expert.push_back(5), b.routing.weight.push_back(1);
      b.x.insert(b.x.end(), kHidden, BF16{static_cast<uint16_t>(10 * rank.comm.rank() + t)});
    }
    Dispatched d = rank.Begin(0, 0, b);
    rank.exchange->EndDispatch(rank.arena, d);
    if (rank.comm.rank() == 1) {
      std::vector<int> seen;
      for (int64_t i = 0; i < d.x.rows; ++i) seen.push_back(d.x.At<BF16>(i)->bits);
      EXPECT_THAT(seen, ::testing::ElementsAre(0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32));
      EXPECT_THAT(d.slot_rows, ::testing::ElementsAre(0, 12, 0, 0));
    }
    rank.exchange->BeginCombine(rank.arena, d, d.x);
    EXPECT_TRUE(rank.Home(d, b) == b.x);
  });
}

// x with rows wider apart than they are long, as a slice of a larger tensor has them.
TEST(Exchange, TakesStridedRows) {
  RunRanks(Contiguous(2), [&](Rank& rank) {
    std::mt19937 rng(rank.comm.rank());
    Batch b = RandomBatch(rng, 9);
    Tensor wide = rank.arena.New(DType::kBF16, 9, kHidden + 5);
    for (int64_t t = 0; t < 9; ++t) std::memcpy(wide.At<BF16>(t), &b.x[t * kHidden], kHidden * 2);
    Dispatched d =
        rank.exchange->BeginDispatch(0, 2, rank.arena, wide.Split(kHidden).first, b.routing);
    rank.Compute(d);
    EXPECT_TRUE(rank.Home(d, b) == Direct(2, b));
  });
}

// A peer that speaks the communicator's language but lies in it.
using Lie = std::function<void(std::vector<std::byte>* dispatch, std::vector<std::byte>* combine)>;

// Rank 1 of two sends rank 0 one honest-looking row and its four pairs, after `lie` changed the
// bytes.
void ExpectLieIsCaught(const Lie& lie, const std::string& error) {
  RunRanks(Contiguous(2), [&](Rank& rank) {
    std::mt19937 rng(3);
    Batch b = Crowded(RandomBatch(rng, 2));
    for (size_t i = 0; i < b.routing.expert.size(); ++i)
      b.routing.expert[i] += 8;  // all for rank 1
    if (rank.comm.rank() == 0) {
      Dispatched d = rank.Begin(0, 0, b);
      rank.Compute(d);
      EXPECT_EQ(rank.Home(d, b), std::vector<BF16>(b.routing.expert.size() * kHidden));  // zeros
      EXPECT_THAT(rank.comm.status().message(), HasSubstr(error));
      EXPECT_EQ(BlamedRank(rank.comm.status()), 1);
      Dispatched after = rank.Begin(1, 1, b);  // the error is sticky, and costs nothing more
      rank.Compute(after);
      EXPECT_EQ(after.x.rows, 0);
      EXPECT_EQ(rank.Home(after, b), std::vector<BF16>(b.routing.expert.size() * kHidden));
      return;
    }
    std::vector<std::byte> dispatch(64 + kHidden * 2), combine(8 * kHidden * 2);
    const uint32_t header[] = {0, 1, 2, kHidden * 2};
    const uint16_t tables[] = {2, 0, 3};
    std::memcpy(dispatch.data(), header, sizeof(header));
    std::memcpy(dispatch.data() + 16, tables, sizeof(tables));
    lie(&dispatch, &combine);
    std::vector<Bytes> from;
    for (const auto* message : {&dispatch, &combine}) {
      rank.comm.BeginAllToAll(0, std::vector<ConstBytes>{*message, {}});
      rank.comm.EndAllToAll(0, rank.arena, &from);
    }
  });
}

TEST(Exchange, LyingDispatchBecomesTheStickyError) {
  ExpectLieIsCaught([](auto* dispatch, auto*) { (*dispatch)[20] = std::byte{8}; },
                    "rank 1: dispatch: slot 8, not below 8");
  ExpectLieIsCaught([](auto* dispatch, auto*) { dispatch->resize(40); },
                    "rank 1: dispatch: length 40");
  ExpectLieIsCaught([](auto* dispatch, auto*) { (*dispatch)[0] = std::byte{2}; },
                    "rank 1: dispatch: layer 2, not 0");
}

TEST(Exchange, LyingCombineBecomesTheStickyError) {
  ExpectLieIsCaught([](auto*, auto* combine) { combine->pop_back(); },
                    "rank 1: combine of layer 0: 591 bytes for 8 rows of 74");
  ExpectLieIsCaught([](auto*, auto* combine) { combine->clear(); },
                    "rank 1: combine of layer 0: 0 bytes for 8 rows of 74");
}

TEST(Exchange, ALostPeerLeavesZeros) {
  std::vector<LoopbackRank> group = LoopbackGroup(2);
  const ExpertPlacement placement = Contiguous(2);
  Rank rank{*group[0].comm, placement};
  std::mt19937 rng(3);
  Batch b = RandomBatch(rng, 4);
  Dispatched d = rank.Begin(0, 0, b);
  group.pop_back();
  rank.Compute(d);
  EXPECT_EQ(rank.Home(d, b), std::vector<BF16>(b.routing.expert.size() * kHidden));
  EXPECT_EQ(rank.comm.status().code(), absl::StatusCode::kUnavailable);
}

// Passes of one size take their memory from the arena alone, and the same amount of it.
TEST(Exchange, TheArenaIsAllItNeeds) {
  RunRanks(Contiguous(2), [&](Rank& rank) {
    size_t high_water = 0;
    for (int pass = 0; pass < 4; ++pass) {
      rank.arena.Reset();
      std::mt19937 rng(7);
      Batch b = RandomBatch(rng, 31);
      Dispatched d = rank.Begin(0, 0, b);
      rank.Compute(d);
      rank.Home(d, b);
      if (pass > 0) {
        EXPECT_EQ(rank.arena.high_water_bytes(), high_water);
      }
      high_water = rank.arena.high_water_bytes();
    }
    EXPECT_GT(high_water, 0u);
  });
}

}  // namespace
}  // namespace shoal
