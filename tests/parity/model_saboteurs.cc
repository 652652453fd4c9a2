#include "tests/parity/model_saboteurs.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/types/span.h"

#include "runtime/tensor/tensor.h"
#include "tests/parity/forwarding_ops.h"
#include "tests/parity/gate_form.h"

namespace shoal {
namespace {

// Indices of the `count` largest values, the largest first; the lowest index on a tie.
std::vector<int32_t> Largest(const std::vector<double>& values, int count) {
  std::vector<int32_t> index(values.size());
  std::iota(index.begin(), index.end(), 0);
  std::stable_sort(index.begin(), index.end(),
                   [&](int32_t a, int32_t b) { return values[a] > values[b]; });
  index.resize(static_cast<size_t>(count));
  return index;
}

class ZeroMaskedOps : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    *out = Routing{config.top_k, {}, {}};
    for (int64_t t = 0; t < x.rows; ++t) {
      const RowScores scores = ScoresOf(x, t, w, bias, config);
      const std::vector<int32_t> open =
          Largest(GroupScores(config, scores.biased), config.top_groups);
      std::vector<double> masked(scores.biased.size(), 0.0);
      const int per_group = config.experts / config.groups;
      for (const int32_t g : open) {
        std::copy_n(scores.biased.begin() + g * per_group, per_group,
                    masked.begin() + g * per_group);
      }
      std::vector<int32_t> chosen = Largest(masked, config.top_k);
      std::sort(chosen.begin(), chosen.end());
      const std::vector<float> weights = WeightsOf(config, scores.score, chosen);
      out->expert.insert(out->expert.end(), chosen.begin(), chosen.end());
      out->weight.insert(out->weight.end(), weights.begin(), weights.end());
    }
  }
};

class BiasedWeightsOps : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    real_.Gate(x, w, bias, config, out);
    for (int64_t t = 0; t < x.rows; ++t) {
      const absl::Span<const int32_t> chosen(&out->expert[t * out->k], static_cast<size_t>(out->k));
      const std::vector<float> weights =
          WeightsOf(config, ScoresOf(x, t, w, bias, config).biased, chosen);
      std::copy(weights.begin(), weights.end(), out->weight.begin() + t * out->k);
    }
  }
};

class GateWithOps : public ForwardingOps {
 public:
  GateWithOps(Ops& real, std::function<void(GateConfig&)> change)
      : ForwardingOps(real), change_(std::move(change)) {}

  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    GateConfig changed = config;
    change_(changed);
    real_.Gate(x, w, bias, changed, out);
  }

 private:
  const std::function<void(GateConfig&)> change_;
};

class EarlyDecodeOps : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows, Tensor out) override {
    std::vector<RowPlace> places(rows.begin(), rows.end());
    if (places.size() == 1) --places[0].position;
    real_.Rope(x, rope, places, out);
  }
};

}  // namespace

std::unique_ptr<Ops> ZeroMaskedGroups(Ops& real) { return std::make_unique<ZeroMaskedOps>(real); }

std::unique_ptr<Ops> BiasedWeights(Ops& real) { return std::make_unique<BiasedWeightsOps>(real); }

std::unique_ptr<Ops> GateWith(Ops& real, std::function<void(GateConfig&)> change) {
  return std::make_unique<GateWithOps>(real, std::move(change));
}

std::unique_ptr<Ops> DecodesOnePositionEarly(Ops& real) {
  return std::make_unique<EarlyDecodeOps>(real);
}

}  // namespace shoal
