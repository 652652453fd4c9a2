#include "runtime/device/reference/reference_ops.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::reference {
namespace {

double Dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{a[i]} * b[i];
  return sum;
}

void CheckF32(const Tensor& t, int64_t rows, int64_t width) {
  CHECK(t.dtype == DType::kF32 && t.rows == rows && t.width() == width)
      << t.ShapeString() << ", not [" << rows << ", " << width << "] F32";
}

const float* Line(const KvLayer& kv, const RowPlace& place, int64_t position) {
  const auto& table = kv.tables[static_cast<size_t>(place.table)];
  const int64_t block = table[static_cast<size_t>(position / kKvBlock)];
  return kv.lines.At<float>(block * kKvBlock + position % kKvBlock);
}

// The indices of the n largest values among those not -inf, the largest first; ties: the lowest
// index.
std::vector<int> Largest(const std::vector<double>& values, int n) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(n)));
  return order;
}

std::vector<double> Scores(const float* x, const Tensor& w, GateScore kind) {
  std::vector<double> s(static_cast<size_t>(w.rows));
  for (size_t e = 0; e < s.size(); ++e) s[e] = Dot(x, w.At<float>(static_cast<int64_t>(e)), w.cols);
  if (kind == GateScore::kSigmoid) {
    for (double& v : s) v = 1 / (1 + std::exp(-v));
    return s;
  }
  const double most = *std::max_element(s.begin(), s.end());
  double sum = 0;
  for (double& v : s) sum += v = std::exp(v - most);
  for (double& v : s) v /= sum;
  return s;
}

// All but the best groups become -inf.
void MaskGroups(const GateConfig& config, std::vector<double>& biased) {
  const int size = config.experts / config.groups;
  std::vector<double> group(static_cast<size_t>(config.groups));
  for (int g = 0; g < config.groups; ++g) {
    std::vector<double> members(biased.begin() + g * size, biased.begin() + (g + 1) * size);
    std::sort(members.begin(), members.end(), std::greater<>());
    const int terms = std::min(size, config.group_score_terms);
    group[static_cast<size_t>(g)] = std::accumulate(members.begin(), members.begin() + terms, 0.0);
  }
  const std::vector<int> best = Largest(group, config.top_groups);
  for (int g = 0; g < config.groups; ++g) {
    if (std::find(best.begin(), best.end(), g) != best.end()) continue;
    std::fill_n(biased.begin() + g * size, size, -std::numeric_limits<double>::infinity());
  }
}

}  // namespace

void ReferenceOps::Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) {
  CheckF32(out, static_cast<int64_t>(ids.size()), table.cols);
  for (size_t t = 0; t < ids.size(); ++t) {
    CHECK(ids[t] >= 0 && ids[t] < table.rows)
        << "a token id is not in the vocabulary of " << table.rows;
    for (int64_t i = 0; i < table.cols; ++i) {
      out.At<float>(static_cast<int64_t>(t))[i] = table.dtype == DType::kBF16
                                                      ? table.At<BF16>(ids[t])[i].ToFloat()
                                                      : table.At<float>(ids[t])[i];
    }
  }
}

void ReferenceOps::RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) {
  CheckF32(x, x.rows, out.cols);
  CheckF32(gain, 1, out.cols);
  CheckF32(out, x.rows, out.cols);
  for (int64_t t = 0; t < x.rows; ++t) {
    const float* row = x.At<float>(t);
    const double inverse = 1 / std::sqrt(Dot(row, row, x.cols) / static_cast<double>(x.cols) + eps);
    for (int64_t i = 0; i < x.cols; ++i) {
      out.At<float>(t)[i] = static_cast<float>(row[i] * inverse * gain.At<float>(0)[i]);
    }
  }
}

void ReferenceOps::AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) {
  Add(x, delta);
  RmsNorm(x, gain, eps, out);
}

void ReferenceOps::MatMul(Tensor x, const Weight& w, Tensor out) {
  CheckF32(x, x.rows, w.in());
  CheckF32(out, x.rows, w.out());
  CHECK(w.data.dtype == DType::kF32) << w.data.ShapeString();
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t n = 0; n < w.out(); ++n) {
      out.At<float>(t)[n] = static_cast<float>(Dot(x.At<float>(t), w.data.At<float>(n), w.in()));
    }
  }
}

void ReferenceOps::HeadMatMul(Tensor x, absl::Span<const Weight> w, Tensor out) {
  CHECK_EQ(x.heads, static_cast<int64_t>(w.size()));
  CHECK_EQ(out.heads, x.heads);
  for (int64_t h = 0; h < x.heads; ++h) {
    Tensor from = x, to = out;
    from.heads = to.heads = 1;
    from.data += h * x.head_stride * static_cast<int64_t>(sizeof(float));
    to.data += h * out.head_stride * static_cast<int64_t>(sizeof(float));
    MatMul(from, w[static_cast<size_t>(h)], to);
  }
}

void ReferenceOps::GroupedMatMul(Tensor x, absl::Span<const int32_t> rows,
                                 absl::Span<const Weight> w, Tensor out) {
  CHECK_EQ(rows.size(), w.size());
  int64_t begin = 0;
  for (size_t g = 0; g < rows.size(); begin += rows[g++])
    MatMul(x.Rows(begin, rows[g]), w[g], out.Rows(begin, rows[g]));
  CHECK_EQ(begin, x.rows);
}

void ReferenceOps::SwiGlu(Tensor gate, Tensor up, Tensor out) {
  CheckF32(up, gate.rows, gate.cols);
  CheckF32(out, gate.rows, gate.cols);
  for (int64_t t = 0; t < gate.rows; ++t) {
    for (int64_t i = 0; i < gate.cols; ++i) {
      const double g = gate.At<float>(t)[i];
      out.At<float>(t)[i] = static_cast<float>(g / (1 + std::exp(-g)) * up.At<float>(t)[i]);
    }
  }
}

void ReferenceOps::Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows,
                        Tensor out) {
  CHECK_EQ(static_cast<int64_t>(rows.size()), x.rows);
  CHECK_EQ(rope.cos.cols * 2, x.cols);
  CheckF32(out, x.rows, x.width());
  for (int64_t t = 0; t < x.rows; ++t) {
    const int32_t position = rows[static_cast<size_t>(t)].position;
    for (int64_t h = 0; h < x.heads; ++h) {
      for (int64_t i = 0; i < x.cols / 2; ++i) {
        const double cos = rope.cos.At<float>(position)[i], sin = rope.sin.At<float>(position)[i];
        const double a = x.At<float>(t, h)[2 * i], b = x.At<float>(t, h)[2 * i + 1];
        out.At<float>(t, h)[2 * i] = static_cast<float>(a * cos - b * sin);
        out.At<float>(t, h)[2 * i + 1] = static_cast<float>(a * sin + b * cos);
      }
    }
  }
}

void ReferenceOps::AppendKv(const KvLayer& kv, Tensor latent, Tensor k_rope,
                            absl::Span<const RowPlace> rows) {
  CheckF32(kv.lines, kv.lines.rows, latent.cols + k_rope.cols);
  for (size_t t = 0; t < rows.size(); ++t) {
    const auto row = static_cast<int64_t>(t);
    auto* line = const_cast<float*>(Line(kv, rows[t], rows[t].position));
    std::copy_n(latent.At<float>(row), latent.cols, line);
    std::copy_n(k_rope.At<float>(row), k_rope.cols, line + latent.cols);
  }
}

void ReferenceOps::MlaAttend(Tensor q_latent, Tensor q_rope, const KvLayer& kv,
                             absl::Span<const RowPlace> rows, float scale, Tensor out) {
  const int64_t rank = q_latent.cols;
  CheckF32(out, static_cast<int64_t>(rows.size()), q_latent.width());
  for (size_t r = 0; r < rows.size(); ++r) {
    CHECK_GE(rows[r].position, kv.first);
    const auto t = static_cast<int64_t>(r);
    for (int64_t h = 0; h < q_latent.heads; ++h) {
      std::vector<double> p(static_cast<size_t>(rows[r].position - kv.first) + 1);
      for (size_t j = 0; j < p.size(); ++j) {
        const float* line = Line(kv, rows[r], kv.first + static_cast<int64_t>(j));
        p[j] = scale * (Dot(q_latent.At<float>(t, h), line, rank) +
                        Dot(q_rope.At<float>(t, h), line + rank, q_rope.cols));
      }
      const double most = *std::max_element(p.begin(), p.end());
      double total = 0;
      for (double& v : p) total += v = std::exp(v - most);
      std::vector<double> sum(static_cast<size_t>(rank));
      for (size_t j = 0; j < p.size(); ++j) {
        const float* line = Line(kv, rows[r], kv.first + static_cast<int64_t>(j));
        for (size_t c = 0; c < sum.size(); ++c) sum[c] += p[j] / total * line[c];
      }
      for (size_t c = 0; c < sum.size(); ++c) out.At<float>(t, h)[c] = static_cast<float>(sum[c]);
    }
  }
}

void ReferenceOps::Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) {
  CheckF32(x, x.rows, w.cols);
  CheckF32(w, config.experts, w.cols);
  *out = Routing{config.top_k, {}, {}};
  for (int64_t t = 0; t < x.rows; ++t) {
    const std::vector<double> s = Scores(x.At<float>(t), w, config.score);
    std::vector<double> biased = s;
    for (size_t e = 0; !bias.empty() && e < biased.size(); ++e) biased[e] += bias.At<float>(0)[e];
    MaskGroups(config, biased);
    std::vector<int> chosen = Largest(biased, config.top_k);
    std::sort(chosen.begin(), chosen.end());
    double sum = 1e-20;
    for (int e : chosen) sum += s[static_cast<size_t>(e)];
    for (int e : chosen) {
      out->expert.push_back(e);
      out->weight.push_back(static_cast<float>(s[static_cast<size_t>(e)] /
                                               (config.normalize ? sum : 1.0) * config.scale));
    }
  }
}

void ReferenceOps::CombineExperts(Tensor home, const Routing& routing, Tensor out) {
  CheckF32(home, out.rows * routing.k, out.cols);
  for (int64_t t = 0; t < out.rows; ++t) {
    for (int64_t i = 0; i < out.cols; ++i) {
      double sum = out.At<float>(t)[i];
      for (int64_t j = t * routing.k; j < (t + 1) * routing.k; ++j) {
        sum += double{routing.weight[static_cast<size_t>(j)]} * home.At<float>(j)[i];
      }
      out.At<float>(t)[i] = static_cast<float>(sum);
    }
  }
}

void ReferenceOps::Cast(Tensor x, Tensor out) {
  CheckF32(out, x.rows, x.width());
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t h = 0; h < x.heads; ++h)
      std::copy_n(x.At<float>(t, h), x.cols, out.At<float>(t, h));
  }
}

void ReferenceOps::GatherRows(Tensor x, absl::Span<const int32_t> index, Tensor out) {
  CHECK(out.dtype == x.dtype && out.rows == static_cast<int64_t>(index.size()) &&
        out.width() == x.width())
      << x.ShapeString() << " to " << out.ShapeString();
  const auto item = static_cast<int64_t>(SizeOf(x.dtype));
  for (size_t t = 0; t < index.size(); ++t) {
    for (int64_t h = 0; h < x.heads; ++h) {
      std::memcpy(
          out.data + (static_cast<int64_t>(t) * out.row_stride + h * out.head_stride) * item,
          x.data + (index[t] * x.row_stride + h * x.head_stride) * item,
          static_cast<size_t>(x.cols * item));
    }
  }
}

void ReferenceOps::Add(Tensor x, Tensor y) {
  CheckF32(y, x.rows, x.cols);
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t i = 0; i < x.cols; ++i) x.At<float>(t)[i] += y.At<float>(t)[i];
  }
}

}  // namespace shoal::reference
