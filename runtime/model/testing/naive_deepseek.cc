#include "runtime/model/testing/naive_deepseek.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/checkpoint.h"

namespace shoal {
namespace {

using Vec = std::vector<double>;

template <typename T>
T Read(const std::vector<std::byte>& bytes, size_t i) {
  T value;
  std::memcpy(&value, &bytes[i * sizeof(T)], sizeof(T));
  return value;
}

double Decode(const std::vector<std::byte>& bytes, DType dtype, size_t i) {
  switch (dtype) {
    case DType::kF32:
      return Read<float>(bytes, i);
    case DType::kBF16:
      return Read<BF16>(bytes, i).ToFloat();
    default:
      return Read<F8E4M3>(bytes, i).ToFloat();
  }
}

double YarnMagnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NaiveDeepSeek>> NaiveDeepSeek::Load(const std::string& folder) {
  ASSIGN_OR_RETURN(const DeepSeekConfig config, ReadDeepSeekConfig(folder));
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(folder));
  std::unique_ptr<NaiveDeepSeek> model(new NaiveDeepSeek(config));
  for (const auto& [name, entry] : checkpoint.entries()) {
    std::vector<std::byte> bytes(entry.tensor.bytes);
    RETURN_IF_ERROR(checkpoint.file(entry.shard).Read(entry.tensor.offset, absl::MakeSpan(bytes)));
    Matrix m;
    m.rows = entry.tensor.shape.size() == 2 ? entry.tensor.shape[0] : 1;
    m.cols = entry.tensor.shape.back();
    for (size_t i = 0; i < static_cast<size_t>(m.rows * m.cols); ++i) {
      m.data.push_back(Decode(bytes, entry.tensor.dtype, i));
    }
    model->weights_[name] = std::move(m);
  }
  for (auto& [name, m] : model->weights_) {
    const auto scale = model->weights_.find(absl::StrCat(name, "_scale_inv"));
    if (scale == model->weights_.end()) continue;
    for (int64_t r = 0; r < m.rows; ++r) {
      for (int64_t c = 0; c < m.cols; ++c) {
        double& w = m.data[r * m.cols + c];
        w *= scale->second.data[r / 128 * scale->second.cols + c / 128];
        if (absl::EndsWith(name, "kv_b_proj.weight"))
          w = BF16::FromFloat(static_cast<float>(w)).ToFloat();
      }
    }
  }
  return model;
}

Vec NaiveDeepSeek::Times(const std::string& name, absl::Span<const double> x) const {
  const Matrix& w = Get(name);
  Vec y(static_cast<size_t>(w.rows));
  for (int64_t r = 0; r < w.rows; ++r) {
    for (int64_t c = 0; c < w.cols; ++c) y[r] += w.data[r * w.cols + c] * x[c];
  }
  return y;
}

Vec NaiveDeepSeek::Norm(const std::string& name, absl::Span<const double> x) const {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double factor = 1 / std::sqrt(squares / static_cast<double>(x.size()) + config_.rms_eps);
  Vec y(x.begin(), x.end());
  for (size_t i = 0; i < y.size(); ++i) y[i] *= factor * Get(name).data[i];
  return y;
}

void NaiveDeepSeek::Rotate(double* x, int64_t position) const {
  const double dim = config_.rope_dim, theta = config_.rope_theta;
  double magnitude = 1;
  for (int i = 0; i < config_.rope_dim / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * i / dim);
    if (config_.yarn.has_value()) {
      const YarnConfig& y = *config_.yarn;
      const auto dimension = [&](double rotations) {
        return dim * std::log(y.original_max_positions / (rotations * 2 * M_PI)) /
               (2 * std::log(theta));
      };
      const double low = std::max(0.0, std::floor(dimension(y.beta_fast)));
      double high = std::min(dim - 1, std::ceil(dimension(y.beta_slow)));
      if (low == high) high += 0.001;
      const double ramp = std::min(1.0, std::max(0.0, (i - low) / (high - low)));
      frequency = frequency / y.factor * ramp + frequency * (1 - ramp);
      magnitude = YarnMagnitude(y.factor, y.mscale) / YarnMagnitude(y.factor, y.mscale_all_dim);
    }
    const double angle = static_cast<double>(position) * frequency;
    const double c = std::cos(angle) * magnitude, s = std::sin(angle) * magnitude;
    const double a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * c - b * s;
    x[2 * i + 1] = a * s + b * c;
  }
}

double NaiveDeepSeek::SoftmaxScale() const {
  const double scale = std::pow(config_.qk_dim(), -0.5);
  if (!config_.yarn.has_value()) return scale;
  const double m = YarnMagnitude(config_.yarn->factor, config_.yarn->mscale_all_dim);
  return scale * m * m;
}

Vec NaiveDeepSeek::Attention(const std::string& prefix, const Vec& h, int64_t position,
                             Past& past) const {
  const DeepSeekConfig& c = config_;
  Vec q = c.q_lora_rank == 0
              ? Times(prefix + "q_proj.weight", h)
              : Times(prefix + "q_b_proj.weight",
                      Norm(prefix + "q_a_layernorm.weight", Times(prefix + "q_a_proj.weight", h)));
  const Vec down = Times(prefix + "kv_a_proj_with_mqa.weight", h);
  const Vec latent =
      Norm(prefix + "kv_a_layernorm.weight", {down.data(), static_cast<size_t>(c.kv_lora_rank)});
  Vec k_rope(down.begin() + c.kv_lora_rank, down.end());
  Rotate(k_rope.data(), position);
  const Vec up = Times(prefix + "kv_b_proj.weight", latent);

  Vec& keys = past.keys.emplace_back();
  Vec& values = past.values.emplace_back();
  for (int head = 0; head < c.heads; ++head) {
    const double* const mine = &up[static_cast<size_t>(head) * (c.nope_dim + c.v_dim)];
    keys.insert(keys.end(), mine, mine + c.nope_dim);
    keys.insert(keys.end(), k_rope.begin(), k_rope.end());
    values.insert(values.end(), mine + c.nope_dim, mine + c.nope_dim + c.v_dim);
    Rotate(&q[static_cast<size_t>(head) * c.qk_dim() + c.nope_dim], position);
  }

  Vec out(static_cast<size_t>(c.heads) * c.v_dim);
  for (int head = 0; head < c.heads; ++head) {
    Vec p;
    double largest = -INFINITY, sum = 0;
    for (const Vec& key : past.keys) {
      double score = 0;
      for (int i = 0; i < c.qk_dim(); ++i)
        score += q[head * c.qk_dim() + i] * key[head * c.qk_dim() + i];
      p.push_back(score * SoftmaxScale());
      largest = std::max(largest, p.back());
    }
    for (double& v : p) sum += v = std::exp(v - largest);
    for (size_t j = 0; j < p.size(); ++j) {
      for (int i = 0; i < c.v_dim; ++i)
        out[head * c.v_dim + i] += p[j] / sum * past.values[j][head * c.v_dim + i];
    }
  }
  return Times(prefix + "o_proj.weight", out);
}

Vec NaiveDeepSeek::Ffn(const std::string& prefix, const Vec& x) const {
  Vec gate = Times(prefix + "gate_proj.weight", x);
  const Vec up = Times(prefix + "up_proj.weight", x);
  for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return Times(prefix + "down_proj.weight", gate);
}

// (expert, weight) of the chosen.
std::vector<std::pair<int, double>> NaiveDeepSeek::Choose(const std::string& prefix,
                                                          const Vec& x) const {
  const GateConfig& g = config_.gate;
  Vec score = Times(prefix + "gate.weight", x);
  if (g.score == GateScore::kSigmoid) {
    for (double& s : score) s = 1 / (1 + std::exp(-s));
  } else {
    double sum = 0;
    for (double& s : score) sum += s = std::exp(s);
    for (double& s : score) s /= sum;
  }
  Vec biased = score;
  if (config_.gate_bias) {
    for (int e = 0; e < g.experts; ++e)
      biased[e] += Get(prefix + "gate.e_score_correction_bias").data[e];
  }
  // Indices by descending value; the lowest of equals first.
  const auto order = [](const Vec& v) {
    std::vector<int> index(v.size());
    for (size_t i = 0; i < v.size(); ++i) index[i] = static_cast<int>(i);
    std::stable_sort(index.begin(), index.end(), [&](int a, int b) { return v[a] > v[b]; });
    return index;
  };
  const int per_group = g.experts / g.groups;
  Vec group_score;
  for (int group = 0; group < g.groups; ++group) {
    Vec members(biased.begin() + group * per_group, biased.begin() + (group + 1) * per_group);
    std::sort(members.rbegin(), members.rend());
    double sum = 0;
    for (int i = 0; i < g.group_score_terms; ++i) sum += members[i];
    group_score.push_back(sum);
  }
  const std::vector<int> groups = order(group_score);
  for (int i = g.top_groups; i < g.groups; ++i) {
    for (int e = 0; e < per_group; ++e) biased[groups[i] * per_group + e] = -INFINITY;
  }
  std::vector<std::pair<int, double>> chosen;
  double sum = 0;
  for (int i = 0; i < g.top_k; ++i) {
    const int expert = order(biased)[i];
    chosen.emplace_back(expert, score[expert]);
    sum += score[expert];
  }
  for (auto& [expert, weight] : chosen) weight *= g.scale / (g.normalize ? sum : 1);
  return chosen;
}

Vec NaiveDeepSeek::Moe(const std::string& prefix, const Vec& x) const {
  Vec y = config_.shared_experts > 0 ? Ffn(prefix + "shared_experts.", x) : Vec(x.size());
  for (const auto& [expert, weight] : Choose(prefix, x)) {
    const Vec out = Ffn(absl::StrCat(prefix, "experts.", expert, "."), x);
    for (size_t i = 0; i < y.size(); ++i) y[i] += weight * out[i];
  }
  return y;
}

std::vector<Vec> NaiveDeepSeek::Logits(absl::Span<const TokenId> ids) const {
  std::vector<Past> past(static_cast<size_t>(config_.layers));
  std::vector<Vec> logits;
  for (size_t position = 0; position < ids.size(); ++position) {
    const Matrix& embedding = Get("model.embed_tokens.weight");
    const auto row = embedding.data.begin() + ids[position] * embedding.cols;
    Vec x(row, row + embedding.cols);
    const auto add = [&x](const Vec& y) {
      for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    };
    for (int layer = 0; layer < config_.layers; ++layer) {
      const std::string prefix = absl::StrCat("model.layers.", layer, ".");
      add(Attention(prefix + "self_attn.", Norm(prefix + "input_layernorm.weight", x),
                    static_cast<int64_t>(position), past[layer]));
      const Vec u = Norm(prefix + "post_attention_layernorm.weight", x);
      add(layer < config_.dense_layers ? Ffn(prefix + "mlp.", u) : Moe(prefix + "mlp.", u));
    }
    logits.push_back(Times("lm_head.weight", Norm("model.norm.weight", x)));
  }
  return logits;
}

}  // namespace shoal
