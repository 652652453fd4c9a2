// Law 1 at the level of operations: the same bits on every instruction set, with any number of
// threads, alone and in a batch; and the saboteur that shows that the check can fail.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

#include "runtime/base/check.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

using Bytes = std::vector<std::byte>;
using Script = std::function<Bytes(Side&)>;

std::unique_ptr<Device> Make(Isa isa, int threads) {
  auto device = NewCpuDevice({.isa = isa, .threads = threads});
  CHECK_OK(device);
  return *std::move(device);
}

// Every instruction set that this machine has, with 1 and 3 threads, against the portable one
// with 1.
void ExpectSameBitsEverywhere(const std::string& what, const Script& script) {
  const std::unique_ptr<Device> portable = Make(Isa::kPortable, 1);
  Side base(*portable);
  const Bytes expected = script(base);
  for (Isa isa : SupportedIsas()) {
    for (int threads :
         isa == SupportedIsas().front() ? std::vector<int>{1, 3} : std::vector<int>{3}) {
      const std::unique_ptr<Device> device = Make(isa, threads);
      Side side(*device);
      EXPECT_TRUE(script(side) == expected)
          << what << " on " << IsaName(isa) << " with " << threads << " threads";
    }
  }
}

// Values of one kind; bf16 holds them.
struct Range {
  const char* name;
  float magnitude;
  int zero_every;  // every so many values are 0; 0: none
};
constexpr Range kRanges[] = {
    {"ordinary", 1, 0}, {"denormal", 1e-38f, 0}, {"underflowing", 1e-20f, 5}, {"large", 1e17f, 3}};

Values In(const Range& range, uint32_t seed, int64_t rows, int64_t cols) {
  Values v = Rounded(RandomValues(seed, rows, cols, range.magnitude), DType::kBF16);
  for (size_t i = 0; range.zero_every > 0 && i < v.data.size();
       i += static_cast<size_t>(range.zero_every)) {
    v.data[i] = i % 2 == 0 ? 0.0f : -0.0f;
  }
  return v;
}

Values Scales(uint32_t seed, int64_t out, int64_t in) {
  Values s = RandomValues(seed, (out + 127) / 128, (in + 127) / 128, 0.01f);
  for (float& f : s.data) f = std::abs(f) + 1e-3f;
  return s;
}

struct Shape {
  int64_t rows, out, in;
};
constexpr Shape kShapes[] = {{1, 16, 32},    {17, 33, 33},  {1, 1, 1},     {5, 77, 63},
                             {16, 128, 128}, {3, 130, 257}, {33, 65, 100}, {1, 48, 7168},
                             {17, 31, 7168}, {50, 64, 1100}};

TEST(Bitwise, MatMulIsTheSameOnEveryInstructionSet) {
  for (const Range& range : kRanges) {
    for (const Shape& shape : kShapes) {
      const Values x = In(range, 1, shape.rows, shape.in), w = In(range, 2, shape.out, shape.in);
      for (DType out_dtype : {DType::kF32, DType::kBF16}) {
        ExpectSameBitsEverywhere(range.name, [&](Side& s) {
          const Tensor out = s.Out(out_dtype, shape.rows, shape.out);
          s.ops().MatMul(s.PutAct(x), s.PutWeight(w, DType::kBF16), out);
          return s.Bytes(out);
        });
      }
    }
  }
}

TEST(Bitwise, Fp8MatMulIsTheSameOnEveryInstructionSet) {
  for (const Range& range : kRanges) {
    for (const Shape& shape : kShapes) {
      const Values x = In(range, 3, shape.rows, shape.in), scale = Scales(4, shape.out, shape.in);
      const Values w = RandomValues(5, shape.out, shape.in, 20);
      ExpectSameBitsEverywhere(range.name, [&](Side& s) {
        const Tensor out = s.OutF32(shape.rows, shape.out);
        s.ops().MatMul(s.PutAct(x), s.PutWeight(w, DType::kF8E4M3, scale), out);
        return s.Bytes(out);
      });
    }
  }
}

// Rule N1 from its text, one element at a time, with the library's fma.
float RuleN1(const float* x, const float* w, int64_t n) {
  float acc = 0;
  for (int64_t chunk = 0; chunk < n; chunk += 32) {
    float even = 0, odd = 0;
    for (int64_t k = chunk; k < chunk + 32; k += 2) {
      even = std::fma(k < n ? x[k] : 0, k < n ? w[k] : 0, even);
      odd = std::fma(k + 1 < n ? x[k + 1] : 0, k + 1 < n ? w[k + 1] : 0, odd);
    }
    acc += even + odd;
  }
  return acc;
}

// Rule N3 likewise; a scale for every 128 of w.
float RuleN3(const float* x, const float* w, int64_t n, const float* scale) {
  float acc = 0;
  for (int64_t k = 0; k < n; k += 128)
    acc = std::fma(RuleN1(x + k, w + k, std::min<int64_t>(128, n - k)), scale[k / 128], acc);
  return acc;
}

TEST(Bitwise, MatMulIsRulesN1AndN3) {
  const std::unique_ptr<Device> device = Make(Isa::kBest, 1);
  for (const Range& range : kRanges) {
    for (const Shape& shape : kShapes) {
      const Values x = In(range, 6, shape.rows, shape.in), w = In(range, 7, shape.out, shape.in);
      const Values w8 = Rounded(RandomValues(8, shape.out, shape.in, 20), DType::kF8E4M3);
      const Values scale = Scales(9, shape.out, shape.in);
      Side s(*device);
      const Tensor out = s.OutF32(shape.rows, shape.out), out8 = s.OutF32(shape.rows, shape.out);
      s.ops().MatMul(s.PutAct(x), s.PutWeight(w, DType::kBF16), out);
      s.ops().MatMul(s.PutAct(x), s.PutWeight(w8, DType::kF8E4M3, scale), out8);
      const std::vector<float> got = s.Get(out), got8 = s.Get(out8);
      std::vector<float> expected, expected8;
      {
        const cpu::FlushDenormals flush;
        for (int64_t r = 0; r < shape.rows; ++r) {
          for (int64_t n = 0; n < shape.out; ++n) {
            const float* row = &x.data[static_cast<size_t>(r * shape.in)];
            expected.push_back(RuleN1(row, &w.data[static_cast<size_t>(n * shape.in)], shape.in));
            expected8.push_back(RuleN3(row, &w8.data[static_cast<size_t>(n * shape.in)], shape.in,
                                       &scale.data[static_cast<size_t>(n / 128 * scale.cols)]));
          }
        }
      }
      EXPECT_EQ(got, expected) << range.name << " K " << shape.in;
      EXPECT_EQ(got8, expected8) << range.name << " K " << shape.in;
    }
  }
}

// Sizes at which kernels cut their work into blocks of rows, of columns and of K; too many products
// for the portable kernels, so the others are compared with each other, and some results with the
// rules.
TEST(Bitwise, LargeMatMulIsTheSameOnEveryFastInstructionSetAndByTheRules) {
  constexpr Shape kLarge[] = {{16, 150, 16500}, {20, 40, 8300}, {48, 20, 7168},  {64, 150, 7168},
                              {65, 290, 1100},  {96, 33, 544},  {530, 800, 1100}};
  for (const Shape& shape : kLarge) {
    const Values x = In(kRanges[0], 13, shape.rows, shape.in);
    const Values w = In(kRanges[0], 14, shape.out, shape.in);
    const Values w8 = Rounded(RandomValues(15, shape.out, shape.in, 20), DType::kF8E4M3);
    const Values scale = Scales(16, shape.out, shape.in);
    std::vector<float> expected, expected8;
    for (const Isa isa : SupportedIsas()) {
      if (isa == Isa::kPortable && SupportedIsas().size() > 1) continue;
      // One thread has all the columns, and so cuts them.
      const std::unique_ptr<Device> device = Make(isa, 1);
      Side s(*device);
      const Tensor input = s.PutAct(x), out = s.OutF32(shape.rows, shape.out);
      s.ops().MatMul(input, s.PutWeight(w, DType::kBF16), out);
      const std::vector<float> got = s.Get(out);
      s.ops().MatMul(input, s.PutWeight(w8, DType::kF8E4M3, scale), out);
      const std::vector<float> got8 = s.Get(out);
      if (expected.empty()) expected = got, expected8 = got8;
      EXPECT_TRUE(got == expected) << IsaName(isa) << ", BF16, " << shape.rows << " rows";
      EXPECT_TRUE(got8 == expected8) << IsaName(isa) << ", FP8, " << shape.rows << " rows";
    }
    const cpu::FlushDenormals flush;
    for (int64_t i = 0; i < shape.rows * shape.out; i += 397) {
      const int64_t row = i / shape.out, col = i % shape.out;
      const float* of_x = &x.data[static_cast<size_t>(row * shape.in)];
      const float* of_w = &w.data[static_cast<size_t>(col * shape.in)];
      EXPECT_EQ(expected[static_cast<size_t>(i)], RuleN1(of_x, of_w, shape.in));
      EXPECT_EQ(expected8[static_cast<size_t>(i)],
                RuleN3(of_x, &w8.data[static_cast<size_t>(col * shape.in)], shape.in,
                       &scale.data[static_cast<size_t>(col / 128 * scale.cols)]));
    }
  }
}

TEST(Bitwise, ARowAloneEqualsTheRowInAnyBatch) {
  constexpr int64_t kOut = 50, kRows = 70;
  for (int64_t in : {33, 1056, 7168}) {
    for (DType dtype : {DType::kBF16, DType::kF8E4M3}) {
      const Values x = Rounded(RandomValues(10, kRows, in), DType::kBF16);
      const Values w = RandomValues(11, kOut, in), scale = Scales(12, kOut, in);
      for (Isa isa : SupportedIsas()) {
        const std::unique_ptr<Device> device = Make(isa, 2);
        Side s(*device);
        const Tensor input = s.PutAct(x), together = s.OutF32(kRows, kOut);
        const Weight weight = s.PutWeight(w, dtype, scale);
        s.ops().MatMul(input, weight, together);
        const std::vector<float> expected = s.Get(together);
        for (int64_t begin : {0, 1, 16, 31, 69}) {
          for (int64_t n : {1, 2, 7, 16, 17, 33}) {
            if (begin + n > kRows) continue;
            const Tensor out = s.OutF32(n, kOut);
            s.ops().MatMul(input.Rows(begin, n), weight, out);
            EXPECT_TRUE(s.Get(out) == std::vector<float>(expected.begin() + begin * kOut,
                                                         expected.begin() + (begin + n) * kOut))
                << IsaName(isa) << " K " << in << ": " << n << " rows from " << begin;
          }
        }
      }
    }
  }
}

TEST(Bitwise, RowOperationsAreTheSameOnEveryInstructionSet) {
  for (const Range& range :
       {Range{"ordinary", 1, 0}, Range{"denormal", 1e-38f, 7}, Range{"large", 1e17f, 3}}) {
    for (int64_t d : {1, 16, 31, 133, 7168}) {
      const Values x = RandomValues(20, 5, d, range.magnitude),
                   y = RandomValues(21, 5, d, range.magnitude);
      const Values gain = RandomValues(22, 1, d), gates = RandomValues(23, 5, d, 30);
      ExpectSameBitsEverywhere(range.name, [&](Side& s) {
        Bytes all;
        auto keep = [&](Tensor t) {
          const Bytes bytes = s.Bytes(t);
          all.insert(all.end(), bytes.begin(), bytes.end());
        };
        const Tensor a = s.PutF32(x), b = s.PutF32(y), g = s.PutF32(gain), out = s.OutAct(5, d);
        s.ops().RmsNorm(a, g, 1e-6f, out), keep(out);
        s.ops().RmsNorm(s.PutAct(x), g, 1e-6f, out), keep(out);
        s.ops().AddRmsNorm(a, b, g, 1e-6f, out), keep(out), keep(a);
        s.ops().SwiGlu(s.PutF32(gates), a, out), keep(out);
        s.ops().SwiGlu(a, b, out), keep(out);
        s.ops().Cast(a, out), keep(out);
        s.ops().Add(a, b), keep(a);
        const Routing routing{5, std::vector<int32_t>(5), RandomValues(24, 1, 5).data};
        const Tensor sum = s.PutF32(x.Row(0));
        s.ops().CombineExperts(s.PutAct(y), routing, sum), keep(sum);
        return all;
      });
    }
  }
}

TEST(Bitwise, RoundingToBf16IsTheSameForEveryUpperHalf) {
  Values v{64, 1024, {}};
  for (uint32_t high = 0; high < 0x10000; ++high) {
    v.data.push_back(std::bit_cast<float>(high << 16 | (high * 40503u & 0xffff)));
  }
  ExpectSameBitsEverywhere("cast", [&](Side& s) {
    const Tensor out = s.OutAct(64, 1024);
    s.ops().Cast(s.PutF32(v), out);
    const Bytes bytes = s.Bytes(out);
    for (size_t i = 0; i < v.data.size(); ++i) {
      const auto low = std::to_integer<unsigned>(bytes[2 * i]),
                 high = std::to_integer<unsigned>(bytes[2 * i + 1]);
      EXPECT_EQ(low | high << 8, BF16::FromFloat(v.data[i]).bits) << i;
    }
    return bytes;
  });
}

TEST(Bitwise, GateIsTheSameOnEveryInstructionSetAndForARowAlone) {
  const Values x = RandomValues(30, 40, 200), w = RandomValues(31, 21, 200, 0.1f),
               bias = RandomValues(32, 1, 21);
  for (GateScore score : {GateScore::kSigmoid, GateScore::kSoftmax}) {
    const GateConfig config{score, 21, 5, 3, 2, 2, true, 2.5f};
    ExpectSameBitsEverywhere("gate", [&](Side& s) {
      Routing all, one;
      const Tensor input = s.PutAct(x), weight = s.PutF32(w), b = s.PutF32(bias);
      s.ops().Gate(input, weight, b, config, &all);
      for (int64_t t : {0, 7, 39}) {
        s.ops().Gate(input.Rows(t, 1), weight, b, config, &one);
        for (size_t j = 0; j < 5; ++j) {
          EXPECT_EQ(one.expert[j], all.expert[static_cast<size_t>(t) * 5 + j]);
          EXPECT_EQ(one.weight[j], all.weight[static_cast<size_t>(t) * 5 + j]);
        }
      }
      const auto* p = reinterpret_cast<const std::byte*>(all.weight.data());
      return Bytes(p, p + all.weight.size() * sizeof(float));
    });
  }
}

TEST(Bitwise, AttentionIsTheSameOnEveryInstructionSetAndInAnyChunk) {
  struct Form {
    int64_t heads, rank, rope;
  };
  const std::vector<int32_t> blocks = {3, 1, 4};
  const std::vector<absl::Span<const int32_t>> tables = {blocks};
  std::vector<RowPlace> places;
  for (int32_t p = 0; p < 150; ++p) places.push_back({p, 0});
  for (const Form& form : {Form{4, 128, 16}, Form{17, 64, 32}, Form{3, 20, 6}}) {
    for (const Range& range : {Range{"ordinary", 1, 0}, Range{"underflowing", 1e-20f, 5}}) {
      const Values lines = In(range, 40, 150, form.rank + form.rope);
      const Values q =
          Rounded(RandomValues(41, 150, form.heads * (form.rank + form.rope)), DType::kBF16);
      const int64_t width = form.heads * form.rank;
      ExpectSameBitsEverywhere(range.name, [&](Side& s) {
        const KvLayer kv{s.OutAct(5 * kKvBlock, form.rank + form.rope), tables};
        const auto [latent, rope] = s.PutAct(lines).Split(form.rank);
        s.ops().AppendKv(kv, latent, rope, places);
        const auto [q_latent, q_rope] = s.PutAct(q).Heads(form.heads).Split(form.rank);
        const Tensor out = s.OutAct(150, width);
        s.ops().MlaAttend(q_latent, q_rope, kv, places, 0.2f, out.Heads(form.heads));
        const Bytes all = s.Bytes(out);
        for (int64_t begin : {0, 63, 100, 149}) {
          for (int64_t n : {1, 3, 16}) {
            if (begin + n > 150) continue;
            const Tensor part = s.OutAct(n, width);
            s.ops().MlaAttend(q_latent.Rows(begin, n), q_rope.Rows(begin, n), kv,
                              absl::MakeConstSpan(places).subspan(static_cast<size_t>(begin),
                                                                  static_cast<size_t>(n)),
                              0.2f, part.Heads(form.heads));
            EXPECT_TRUE(s.Bytes(part) == Bytes(all.begin() + begin * width * 2,
                                               all.begin() + (begin + n) * width * 2))
                << n << " rows from " << begin;
          }
        }
        return all;
      });
    }
  }
}

// Enough tiles that several are in flight at once and the largest score mostly stays; a layer that
// begins at position 0, and one that begins within a tile.
TEST(Bitwise, LongAttentionIsTheSameOnEveryInstructionSetAndForARowAlone) {
  struct Form {
    int64_t heads, rank, rope;
  };
  const std::vector<int32_t> blocks = {9, 3, 1, 4, 8, 0, 6, 2, 7, 5};
  const std::vector<absl::Span<const int32_t>> tables = {blocks};
  for (const Form& form : {Form{33, 64, 32}, Form{4, 512, 64}, Form{3, 20, 6}}) {
    for (const int32_t first : {0, 37}) {
      std::vector<RowPlace> places;
      for (int32_t p = first; p < 610; ++p) places.push_back({p, 0});
      const std::vector<RowPlace> rows = {{63, 0},  {255, 0}, {256, 0}, {319, 0},
                                          {330, 0}, {331, 0}, {609, 0}};
      const auto lines = static_cast<int64_t>(places.size()), count = int64_t{7};
      const int64_t width = form.rank + form.rope, out_width = form.heads * form.rank;
      const Values cached = Rounded(RandomValues(42, lines, width), DType::kBF16);
      const Values q = Rounded(RandomValues(43, count, form.heads * width), DType::kBF16);
      ExpectSameBitsEverywhere("long attention", [&](Side& s) {
        KvLayer kv{s.OutAct(10 * kKvBlock, width), tables};
        kv.first = first;
        const auto [latent, rope] = s.PutAct(cached).Split(form.rank);
        s.ops().AppendKv(kv, latent, rope, places);
        const auto [q_latent, q_rope] = s.PutAct(q).Heads(form.heads).Split(form.rank);
        const Tensor out = s.OutAct(count, out_width);
        s.ops().MlaAttend(q_latent, q_rope, kv, rows, 0.2f, out.Heads(form.heads));
        const Bytes all = s.Bytes(out);
        for (const int64_t t : {0, 3, 6}) {
          const Tensor alone = s.OutAct(1, out_width);
          s.ops().MlaAttend(q_latent.Rows(t, 1), q_rope.Rows(t, 1), kv,
                            absl::MakeConstSpan(rows).subspan(static_cast<size_t>(t), 1), 0.2f,
                            alone.Heads(form.heads));
          EXPECT_TRUE(s.Bytes(alone) ==
                      Bytes(all.begin() + t * out_width * 2, all.begin() + (t + 1) * out_width * 2))
              << "row " << t << " alone, first position " << first;
        }
        return all;
      });
    }
  }
}

// The saboteur: a device that sums K from the other end, by reversing the columns of x and of w.
Values Reversed(const Values& v) {
  Values r = v;
  for (int64_t row = 0; row < v.rows; ++row) {
    for (int64_t k = 0; k < v.cols; ++k)
      r.data[static_cast<size_t>(row * v.cols + k)] =
          v.data[static_cast<size_t>((row + 1) * v.cols - 1 - k)];
  }
  return r;
}

TEST(Bitwise, SaboteurThatReversesASumOnOneInstructionSetIsCaught) {
  const Values x = Rounded(RandomValues(50, 3, 512), DType::kBF16), w = RandomValues(51, 40, 512);
  bool sabotage = false;
  auto multiply = [&](Side& s, bool reversed) {
    const Tensor out = s.OutF32(3, 40);
    s.ops().MatMul(s.PutAct(reversed ? Reversed(x) : x),
                   s.PutWeight(reversed ? Reversed(w) : w, DType::kBF16), out);
    return out;
  };
  int calls = 0;
  // The second device of the check is the saboteur.
  auto script = [&](Side& s) { return s.Bytes(multiply(s, sabotage && ++calls == 2)); };
  ExpectSameBitsEverywhere("honest", script);
  sabotage = true;
  EXPECT_NONFATAL_FAILURE(ExpectSameBitsEverywhere("sabotaged", script), "sabotaged");
  // No tolerance would have seen it.
  const std::unique_ptr<Device> device = Make(Isa::kBest, 1);
  Side s(*device);
  EXPECT_LT(RelativeL2(s.Get(multiply(s, true)), s.Get(multiply(s, false))), 1e-6);
}

}  // namespace
}  // namespace shoal
