#include "runtime/device/contract/ops_contract.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "runtime/device/contract/side.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

using Script = std::function<std::vector<float>(Side&)>;

constexpr double kF32Bound = 1e-5, kActBound = 4e-3;

// Runs `script` on the backend and on the reference and compares what it returns.
void ExpectAgree(const DeviceUnderTest& param, double bound, const Script& script) {
  const std::unique_ptr<Device> device = param.make(), reference = NewReferenceDevice();
  Side mine(*device), theirs(*reference);
  const std::vector<float> a = script(mine), b = script(theirs);
  const double error = RelativeL2(a, b);
  EXPECT_LE(error, mine.act() == DType::kF32 ? kF32Bound : bound)
      << a.size() << " values";  // false for NaN
}

// Values that the backend's activations hold exactly.
Values ActValues(const DeviceUnderTest& param, uint32_t seed, int64_t rows, int64_t cols,
                 float magnitude = 1) {
  return Rounded(RandomValues(seed, rows, cols, magnitude), param.make()->ops().activation_dtype());
}

Values Scales(uint32_t seed, int64_t out, int64_t in) {
  Values s = RandomValues(seed, (out + 127) / 128, (in + 127) / 128, 0.01f);
  for (float& f : s.data) f = std::abs(f) + 1e-3f;
  return s;
}

constexpr int64_t kRowCounts[] = {0, 1, 2, 15, 16, 17, 33, 49};

TEST_P(OpsContract, EmbedTakesRowsOfTheTable) {
  const std::vector<TokenId> ids = {4, 0, 6, 4};
  for (DType dtype : {DType::kF32, DType::kBF16}) {
    ExpectAgree(GetParam(), 0, [&](Side& s) {
      const Tensor out = s.OutF32(4, 37);
      s.ops().Embed(ids, s.Put(RandomValues(1, 7, 37), dtype), out);
      s.ops().Embed({}, s.Put(RandomValues(1, 7, 37), dtype), s.OutF32(0, 37));
      return s.Get(out);
    });
  }
}

TEST_P(OpsContract, RmsNormOfFloatsAndActivations) {
  for (int64_t d : {1, 15, 16, 129, 7168}) {
    for (int64_t rows : {0, 1, 5}) {
      const Values x = ActValues(GetParam(), 2, rows, d, 3), gain = RandomValues(3, 1, d);
      for (bool act : {false, true}) {
        ExpectAgree(GetParam(), kActBound, [&](Side& s) {
          const Tensor out = s.OutAct(rows, d);
          s.ops().RmsNorm(act ? s.PutAct(x) : s.PutF32(x), s.PutF32(gain), 1e-6f, out);
          return s.Get(out);
        });
      }
    }
  }
}

TEST_P(OpsContract, RmsNormOfAStridedView) {
  const Values x = RandomValues(2, 3, 100), gain = RandomValues(3, 1, 60);
  ExpectAgree(GetParam(), kActBound, [&](Side& s) {
    const Tensor out = s.OutAct(3, 60);
    s.ops().RmsNorm(s.PutF32(x).Split(60).first, s.PutF32(gain), 1e-6f, out);
    return s.Get(out);
  });
}

TEST_P(OpsContract, AddRmsNormAddsFirstAndKeepsTheSum) {
  for (int64_t rows : {0, 1, 7}) {
    const Values x = RandomValues(4, rows, 131), delta = RandomValues(5, rows, 131),
                 gain = RandomValues(6, 1, 131);
    for (bool sum : {false, true}) {
      ExpectAgree(GetParam(), sum ? kF32Bound : kActBound, [&](Side& s) {
        const Tensor out = s.OutAct(rows, 131), stream = s.PutF32(x);
        s.ops().AddRmsNorm(stream, s.PutF32(delta), s.PutF32(gain), 1e-6f, out);
        return s.Get(sum ? stream : out);
      });
    }
  }
}

TEST_P(OpsContract, MatMulInBf16) {
  struct Shape {
    int64_t out, in;
  };
  for (const Shape& shape :
       {Shape{1, 1}, {5, 31}, {16, 32}, {17, 33}, {128, 128}, {100, 1000}, {577, 160}}) {
    for (int64_t rows : kRowCounts) {
      const Values x = ActValues(GetParam(), 7, rows, shape.in);
      const Values w = Rounded(RandomValues(8, shape.out, shape.in), DType::kBF16);
      for (bool act : {false, true}) {
        ExpectAgree(GetParam(), act ? kActBound : kF32Bound, [&](Side& s) {
          const Tensor out = act ? s.OutAct(rows, shape.out) : s.OutF32(rows, shape.out);
          s.ops().MatMul(s.PutAct(x), s.PutWeight(w, DType::kBF16), out);
          return s.Get(out);
        });
      }
    }
  }
}

TEST_P(OpsContract, MatMulInFp8WithBlockScales) {
  struct Shape {
    int64_t out, in;
  };
  for (const Shape& shape :
       {Shape{1, 1}, {16, 128}, {130, 129}, {128, 128}, {100, 900}, {257, 160}}) {
    for (int64_t rows : kRowCounts) {
      const Values x = ActValues(GetParam(), 9, rows, shape.in);
      const Values w = Rounded(RandomValues(10, shape.out, shape.in, 40), DType::kF8E4M3);
      const Values scale = Scales(11, shape.out, shape.in);
      ExpectAgree(GetParam(), kF32Bound, [&](Side& s) {
        const Tensor out = s.OutF32(rows, shape.out);
        s.ops().MatMul(s.PutAct(x), s.PutWeight(w, DType::kF8E4M3, scale), out);
        return s.Get(out);
      });
    }
  }
}

TEST_P(OpsContract, MatMulOfManyRowsAndALongSum) {
  const Values x = ActValues(GetParam(), 12, 70, 2500);
  const Values w = Rounded(RandomValues(13, 90, 2500, 30), DType::kF8E4M3),
               scale = Scales(14, 90, 2500);
  for (DType dtype : {DType::kBF16, DType::kF8E4M3}) {
    ExpectAgree(GetParam(), kF32Bound, [&](Side& s) {
      const Tensor out = s.OutF32(70, 90);
      s.ops().MatMul(s.PutAct(x), s.PutWeight(w, dtype, scale), out);
      return s.Get(out);
    });
  }
}

TEST_P(OpsContract, MatMulOfAStridedView) {
  const Values x = ActValues(GetParam(), 15, 5, 96),
               w = Rounded(RandomValues(16, 20, 40), DType::kBF16);
  ExpectAgree(GetParam(), kF32Bound, [&](Side& s) {
    const Tensor out = s.OutF32(5, 20);
    s.ops().MatMul(s.PutAct(x).Split(56).second, s.PutWeight(w, DType::kBF16), out);
    return s.Get(out);
  });
}

TEST_P(OpsContract, HeadMatMulMultipliesEachHeadByItsWeight) {
  constexpr int64_t kHeads = 3, kIn = 24, kRope = 8, kOut = 20;
  for (int64_t rows : kRowCounts) {
    const Values x = ActValues(GetParam(), 17, rows, kHeads * (kIn + kRope));
    ExpectAgree(GetParam(), kActBound, [&](Side& s) {
      std::vector<Weight> w;
      for (uint32_t h = 0; h < kHeads; ++h) {
        w.push_back(
            s.PutWeight(Rounded(RandomValues(18 + h, kOut, kIn), DType::kBF16), DType::kBF16));
      }
      const Tensor out = s.OutAct(rows, kHeads * kOut);
      s.ops().HeadMatMul(s.PutAct(x).Heads(kHeads).Split(kIn).first, w, out.Heads(kHeads));
      return s.Get(out);
    });
  }
}

TEST_P(OpsContract, GroupedMatMulTakesRowsGroupByGroup) {
  const std::vector<int32_t> uneven = {3, 0, 17, 1, 0}, none(5, 0);
  for (const std::vector<int32_t>& rows : {uneven, none}) {
    const int64_t total = rows == none ? 0 : 21;
    for (DType dtype : {DType::kBF16, DType::kF8E4M3}) {
      const Values x = ActValues(GetParam(), 21, total, 150);
      ExpectAgree(GetParam(), kF32Bound, [&](Side& s) {
        std::vector<Weight> w;
        for (uint32_t g = 0; g < rows.size(); ++g) {
          w.push_back(s.PutWeight(Rounded(RandomValues(22 + g, 70, 150), dtype), dtype,
                                  Scales(30 + g, 70, 150)));
        }
        const Tensor out = s.OutF32(total, 70);
        s.ops().GroupedMatMul(s.PutAct(x), rows, w, out);
        return s.Get(out);
      });
    }
  }
}

TEST_P(OpsContract, SwiGlu) {
  for (float magnitude : {1.0f, 40.0f, 300.0f}) {
    for (int64_t rows : {0, 1, 4}) {
      const Values gate = RandomValues(40, rows, 45, magnitude), up = RandomValues(41, rows, 45);
      ExpectAgree(GetParam(), kActBound, [&](Side& s) {
        const Tensor out = s.OutAct(rows, 45);
        s.ops().SwiGlu(s.PutF32(gate), s.PutF32(up), out);
        return s.Get(out);
      });
    }
  }
}

TEST_P(OpsContract, RopeRotatesPairsOfEveryHead) {
  Values cos = RandomValues(42, 50, 5), sin = cos;
  for (size_t i = 0; i < cos.data.size(); ++i) {
    sin.data[i] = std::sin(cos.data[i]), cos.data[i] = std::cos(cos.data[i]);
  }
  const Values x = RandomValues(43, 3, 2 * 22);
  const std::vector<RowPlace> places = {{0, 0}, {49, 1}, {7, 0}};
  ExpectAgree(GetParam(), kActBound, [&](Side& s) {
    const Tensor out = s.OutAct(3, 20);
    const RopeTable rope{s.PutF32(cos), s.PutF32(sin)};
    s.ops().Rope(s.PutF32(x).Heads(2).Split(12).second, rope, places, out.Heads(2));
    s.ops().Rope(s.PutF32({0, 10, {}}), rope, {}, s.OutAct(0, 10));
    return s.Get(out);
  });
}

// Two sequences whose blocks interleave, in a cache that is NaN where nobody wrote.
struct Cache {
  static constexpr int64_t kBlocks = 9;
  std::vector<int32_t> first = {7, 2, 5, 0}, second = {1, 8};
  std::vector<absl::Span<const int32_t>> tables = {first, second};

  KvLayer Make(Side& s, int64_t line) const { return {s.OutAct(kBlocks * kKvBlock, line), tables}; }
};

std::vector<RowPlace> Places(int32_t table, int32_t begin, int32_t end) {
  std::vector<RowPlace> places;
  for (int32_t p = begin; p < end; ++p) places.push_back({p, table});
  return places;
}

TEST_P(OpsContract, AttentionOverAppendedLines) {
  struct Shape {
    int64_t heads, rank, rope;
  };
  const Cache cache;
  for (const Shape& shape : {Shape{4, 128, 16}, {1, 24, 8}, {17, 64, 32}, {32, 32, 32}}) {
    std::vector<RowPlace> lines = Places(0, 0, 200);
    for (const RowPlace& p : Places(1, 0, 70)) lines.push_back(p);
    const auto count = static_cast<int64_t>(lines.size());
    const Values latent = ActValues(GetParam(), 50, count, shape.rank),
                 rope = ActValues(GetParam(), 51, count, shape.rope);
    // The first row, the ends of tiles, runs within and across tiles, and the other sequence.
    std::vector<RowPlace> rows = {{0, 0},   {63, 0},  {64, 0},  {96, 0},
                                  {127, 0}, {128, 0}, {198, 0}, {199, 0}};
    for (const RowPlace& p : Places(1, 55, 70)) rows.push_back(p);
    rows.push_back({31, 0});
    const auto count_rows = static_cast<int64_t>(rows.size());
    const Values q = ActValues(GetParam(), 52, count_rows, shape.heads * shape.rank);
    const Values q_rope = ActValues(GetParam(), 53, count_rows, shape.heads * shape.rope);
    ExpectAgree(GetParam(), 2 * kActBound, [&](Side& s) {
      const KvLayer kv = cache.Make(s, shape.rank + shape.rope);
      s.ops().AppendKv(kv, s.PutAct(latent), s.PutAct(rope), lines);
      const Tensor out = s.OutAct(count_rows, shape.heads * shape.rank);
      s.ops().MlaAttend(s.PutAct(q).Heads(shape.heads), s.PutAct(q_rope).Heads(shape.heads), kv,
                        rows, 0.1f, out.Heads(shape.heads));
      return s.Get(out);
    });
  }
}

TEST_P(OpsContract, AttentionNeverTouchesLinesItMayNotSee) {
  // 100 lines are written; all others stay NaN, also those of the rows' own last tile.
  const Cache cache;
  const std::vector<RowPlace> lines = Places(0, 0, 100), rows = Places(0, 90, 100);
  const Values latent = ActValues(GetParam(), 54, 100, 48),
               rope = ActValues(GetParam(), 55, 100, 16);
  const Values q = ActValues(GetParam(), 56, 10, 2 * 64);
  ExpectAgree(GetParam(), 2 * kActBound, [&](Side& s) {
    const KvLayer kv = cache.Make(s, 64);
    s.ops().AppendKv(kv, s.PutAct(latent), s.PutAct(rope), lines);
    const auto [q_latent, q_rope] = s.PutAct(q).Heads(2).Split(48);
    const Tensor out = s.OutAct(10, 2 * 48);
    s.ops().MlaAttend(q_latent, q_rope, kv, rows, 0.15f, out.Heads(2));
    s.ops().MlaAttend(s.OutAct(0, 96).Heads(2), s.OutAct(0, 32).Heads(2), kv, {}, 0.15f,
                      s.OutAct(0, 96).Heads(2));
    return s.Get(out);
  });
}

TEST_P(OpsContract, AttentionBeginsAtTheLayersFirstPosition) {
  // Lines before it stay NaN.  Rows at the first position, at the tile's end and in later tiles.
  const Cache cache;
  for (const int32_t first : {1, 37, 63}) {
    const std::vector<RowPlace> lines = Places(0, first, 130);
    const std::vector<RowPlace> rows = {{first, 0}, {64, 0}, {65, 0}, {128, 0}, {129, 0}};
    const auto count = static_cast<int64_t>(lines.size());
    const Values latent = ActValues(GetParam(), 57, count, 48),
                 rope = ActValues(GetParam(), 58, count, 16);
    const Values q = ActValues(GetParam(), 59, 5, 3 * 64);
    ExpectAgree(GetParam(), 2 * kActBound, [&](Side& s) {
      KvLayer kv = cache.Make(s, 64);
      kv.first = first;
      s.ops().AppendKv(kv, s.PutAct(latent), s.PutAct(rope), lines);
      const auto [q_latent, q_rope] = s.PutAct(q).Heads(3).Split(48);
      const Tensor out = s.OutAct(5, 3 * 48);
      s.ops().MlaAttend(q_latent, q_rope, kv, rows, 0.15f, out.Heads(3));
      return s.Get(out);
    });
  }
}

// The routing as values: the experts' ids exactly, the weights by the norm.
void ExpectSameRouting(const DeviceUnderTest& param, const GateConfig& config, const Values& x,
                       const Values& w, const Values& bias) {
  const std::unique_ptr<Device> device = param.make(), reference = NewReferenceDevice();
  Routing mine, theirs;
  auto gate = [&](Device& d, Routing* out) {
    Side s(d);
    const Tensor b = bias.data.empty() ? Tensor{} : s.PutF32(bias);
    s.ops().Gate(s.PutAct(x), s.PutF32(w), b, config, out);
    EXPECT_TRUE(s.ops().Finish().ok());
  };
  gate(*device, &mine);
  gate(*reference, &theirs);
  EXPECT_EQ(mine.k, theirs.k);
  EXPECT_EQ(mine.expert, theirs.expert);
  EXPECT_LE(RelativeL2(mine.weight, theirs.weight), kF32Bound);
}

TEST_P(OpsContract, GateChoosesExpertsInGroups) {
  for (int64_t rows : {0, 1, 19}) {
    const Values x = ActValues(GetParam(), 60, rows, 133), w = RandomValues(61, 32, 133, 0.1f);
    const Values bias = RandomValues(62, 1, 32, 0.2f);
    ExpectSameRouting(GetParam(), {GateScore::kSigmoid, 32, 4, 8, 4, 2, true, 2.5f}, x, w, bias);
    ExpectSameRouting(GetParam(), {GateScore::kSigmoid, 32, 8, 1, 1, 2, true, 2.5f}, x, w, {});
    ExpectSameRouting(GetParam(), {GateScore::kSoftmax, 32, 6, 1, 1, 1, false, 1.0f}, x, w, {});
    ExpectSameRouting(GetParam(), {GateScore::kSoftmax, 32, 3, 4, 2, 1, false, 16.0f}, x, w, {});
  }
}

TEST_P(OpsContract, GateNeverChoosesFromAnUnselectedGroup) {
  // All biased scores are negative; masking with 0 instead of -inf would let the other groups in.
  const Values x = ActValues(GetParam(), 63, 4, 64), w = RandomValues(64, 16, 64, 0.1f);
  const Values bias = {1, 16, std::vector<float>(16, -5.0f)};
  ExpectSameRouting(GetParam(), {GateScore::kSigmoid, 16, 4, 4, 1, 2, true, 1.0f}, x, w, bias);
}

TEST_P(OpsContract, GateTiesGoToTheLowestIndex) {
  const Values x = ActValues(GetParam(), 65, 2, 32),
               w = {16, 32, std::vector<float>(16 * 32, 0.0f)};
  const std::unique_ptr<Device> device = GetParam().make();
  Side s(*device);
  Routing routing;
  s.ops().Gate(s.PutAct(x), s.PutF32(w), Tensor{},
               {GateScore::kSigmoid, 16, 4, 4, 2, 2, true, 2.0f}, &routing);
  EXPECT_EQ(routing.expert, (std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
  for (float weight : routing.weight) EXPECT_EQ(weight, 0.5f);
}

TEST_P(OpsContract, CombineAddsWeightedExpertsToTheSharedOne) {
  for (int64_t rows : {0, 1, 6}) {
    const Values home = ActValues(GetParam(), 70, rows * 3, 77),
                 shared = RandomValues(71, rows, 77);
    const Routing routing{3, std::vector<int32_t>(static_cast<size_t>(rows * 3), 0),
                          RandomValues(72, 1, rows * 3).data};
    ExpectAgree(GetParam(), kF32Bound, [&](Side& s) {
      const Tensor out = s.PutF32(shared);
      s.ops().CombineExperts(s.PutAct(home), routing, out);
      return s.Get(out);
    });
  }
}

TEST_P(OpsContract, CastGatherAndAdd) {
  const Values x = RandomValues(80, 5, 2 * 33), y = RandomValues(81, 5, 66);
  ExpectAgree(GetParam(), kActBound, [&](Side& s) {
    const Tensor out = s.OutAct(5, 2 * 20);
    s.ops().Cast(s.PutF32(x).Heads(2).Split(20).first, out.Heads(2));
    return s.Get(out);
  });
  const std::vector<int32_t> index = {4, 4, 0, 2};
  ExpectAgree(GetParam(), 0, [&](Side& s) {
    const Tensor out = s.OutF32(4, 26);
    s.ops().GatherRows(s.PutF32(x).Heads(2).Split(20).second, index, out.Heads(2));
    s.ops().GatherRows(s.PutF32(x), {}, s.OutF32(0, 66));
    return s.Get(out);
  });
  ExpectAgree(GetParam(), 0, [&](Side& s) {
    const Tensor sum = s.PutF32(x);
    s.ops().Add(sum, s.PutF32(y));
    s.ops().Add(s.OutF32(0, 66), s.OutF32(0, 66));
    return s.Get(sum);
  });
}

}  // namespace
}  // namespace shoal
