// MlaAttend against the arithmetic that README.md states, written out one head and one number at a
// time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "runtime/base/check.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/cpu/lanes_portable.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

using Row = std::vector<float>;
using V = cpu::LanesPortable;

float Exp(float x) {
  float lanes[16];
  V::Store(lanes, cpu::Exp<V>(V::Set(x)));
  return lanes[0];
}

// The product of rule N1, continued from acc; a and b are as long and are padded with zeros to 32.
float Product(Row a, Row b, float acc) {
  const size_t padded = (a.size() + 31) / 32 * 32;
  a.resize(padded), b.resize(padded);
  for (size_t chunk = 0; chunk < padded; chunk += 32) {
    float even = 0, odd = 0;
    for (size_t k = chunk; k < chunk + 32; k += 2) {
      even = std::fma(a[k], b[k], even);
      odd = std::fma(a[k + 1], b[k + 1], odd);
    }
    acc += even + odd;
  }
  return acc;
}

float LaneSum(const Row& x) {
  float lane[16] = {};
  for (size_t i = 0; i < x.size(); ++i) lane[i % 16] += x[i];
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

Row Attend(const Row& query, const std::vector<Row>& lines, int64_t rank, float scale) {
  float m = -std::numeric_limits<float>::infinity(), l = 0;
  Row o(static_cast<size_t>(rank), 0.0f);
  for (size_t tile = 0; tile < lines.size(); tile += kKvBlock) {
    const size_t n = std::min<size_t>(kKvBlock, lines.size() - tile);
    Row s, p;
    for (size_t j = 0; j < n; ++j) s.push_back(Product(lines[tile + j], query, 0) * scale);
    const float now = std::max(m, *std::max_element(s.begin(), s.end()));
    const float alpha = Exp(m - now);
    for (float v : s) p.push_back(BF16::FromFloat(Exp(v - now)).ToFloat());
    l = std::fma(l, alpha, LaneSum(p));
    m = now;
    for (size_t c = 0; c < o.size(); ++c) {
      Row column;
      for (size_t j = 0; j < n; ++j) column.push_back(lines[tile + j][c]);
      o[c] = Product(p, column, tile > 0 ? o[c] * alpha : 0);
    }
  }
  const float inverse = 1 / l;
  for (float& v : o) v = BF16::FromFloat(v * inverse).ToFloat();
  return o;
}

TEST(AttentionBits, AreThoseOfTheReadme) {
  struct Form {
    int64_t heads, rank, rope;
  };
  const std::vector<int32_t> blocks = {2, 0, 1};
  const std::vector<absl::Span<const int32_t>> tables = {blocks};
  std::vector<RowPlace> places;
  for (int32_t p = 0; p < 190; ++p) places.push_back({p, 0});
  const std::vector<RowPlace> rows = {{0, 0},  {1, 0},  {31, 0},  {32, 0},
                                      {63, 0}, {64, 0}, {100, 0}, {189, 0}};
  const auto count = static_cast<int64_t>(rows.size());
  for (const Form& form : {Form{2, 64, 32}, Form{18, 20, 6}}) {
    const int64_t width = form.rank + form.rope;
    const Values lines = Rounded(RandomValues(1, 190, width), DType::kBF16);
    const Values q = Rounded(RandomValues(2, count, form.heads * width), DType::kBF16);
    auto device = NewCpuDevice({});
    CHECK_OK(device);
    Side s(**device);
    const KvLayer kv{s.OutAct(3 * kKvBlock, width), tables};
    const auto [latent, rope] = s.PutAct(lines).Split(form.rank);
    s.ops().AppendKv(kv, latent, rope, places);
    const auto [q_latent, q_rope] = s.PutAct(q).Heads(form.heads).Split(form.rank);
    const Tensor out = s.OutAct(count, form.heads * form.rank);
    s.ops().MlaAttend(q_latent, q_rope, kv, rows, 0.2f, out.Heads(form.heads));
    const std::vector<float> got = s.Get(out);

    Row expected;
    const cpu::FlushDenormals flush;
    for (size_t t = 0; t < rows.size(); ++t) {
      std::vector<Row> visible;
      for (int64_t j = 0; j <= rows[t].position; ++j) visible.push_back(lines.Row(j).data);
      const Row all = q.Row(static_cast<int64_t>(t)).data;
      for (int64_t h = 0; h < form.heads; ++h) {
        const Row head = Attend(Row(all.begin() + h * width, all.begin() + (h + 1) * width),
                                visible, form.rank, 0.2f);
        expected.insert(expected.end(), head.begin(), head.end());
      }
    }
    EXPECT_EQ(got, expected) << form.heads << " heads of " << form.rank;
  }
}

}  // namespace
}  // namespace shoal
