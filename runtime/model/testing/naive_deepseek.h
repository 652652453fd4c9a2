#ifndef SHOAL_RUNTIME_MODEL_TESTING_NAIVE_DEEPSEEK_H_
#define SHOAL_RUNTIME_MODEL_TESTING_NAIVE_DEEPSEEK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/model/config.h"

namespace shoal {

// What the serving model is compared with: the same mathematics in float64, the obvious way.  Keys
// and values are built for every head (nothing is absorbed), every expert is a loop, there is no
// cache, and frequencies come from libm.  It shares with the serving model only the parsing of
// config.json and the reading of headers. The one cast it copies: kv_b_proj of an FP8 checkpoint is
// bf16(fp8 * scale), because that is how it is defined.
class NaiveDeepSeek {
 public:
  static absl::StatusOr<std::unique_ptr<NaiveDeepSeek>> Load(const std::string& folder);

  // [ids][vocab]: the logits after each position of one sequence.
  std::vector<std::vector<double>> Logits(absl::Span<const TokenId> ids) const;

 private:
  using Vec = std::vector<double>;
  struct Matrix {
    int64_t rows = 0, cols = 0;
    Vec data;
  };
  struct Past {                     // of one layer, position by position
    std::vector<Vec> keys, values;  // [heads * (nope + rope)], [heads * v]
  };

  explicit NaiveDeepSeek(const DeepSeekConfig& config) : config_(config) {}
  const Matrix& Get(const std::string& name) const { return weights_.at(name); }
  Vec Times(const std::string& name, absl::Span<const double> x) const;
  Vec Norm(const std::string& name, absl::Span<const double> x) const;
  void Rotate(double* x, int64_t position) const;  // [rope_dim] in place
  double SoftmaxScale() const;
  Vec Attention(const std::string& prefix, const Vec& h, int64_t position, Past& past) const;
  Vec Ffn(const std::string& prefix, const Vec& x) const;
  Vec Moe(const std::string& prefix, const Vec& x) const;
  std::vector<std::pair<int, double>> Choose(const std::string& prefix, const Vec& x) const;

  const DeepSeekConfig config_;
  std::map<std::string, Matrix> weights_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_TESTING_NAIVE_DEEPSEEK_H_
