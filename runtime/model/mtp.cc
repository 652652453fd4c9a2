#include "runtime/model/mtp.h"

#include <cstddef>
#include <utility>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/model/pass_math.h"

namespace shoal {

Mtp::Mtp(const DeepSeekV3& main, MtpWeights weights) : main_(main), weights_(std::move(weights)) {}

Tensor Mtp::Draft(Pass& pass, const Batch& batch, Tensor hidden) const {
  CHECK(hidden.rows == batch.rows() && hidden.cols == main_.config().hidden &&
        hidden.dtype == pass.ops.activation_dtype())
      << hidden.ShapeString() << " for " << batch.rows() << " rows";
  Lane lane{batch};
  Enter(pass, lane, hidden);
  KvLayer kv = main_.Cache(pass, batch, main_.layers());  // the layer after the main model's
  kv.first = kFirstDraftPosition;
  main_.Block(pass, lane, weights_.block, kv);
  Begin(pass, PassObserver::Phase::kHead);
  if (pass.hidden != nullptr) *pass.hidden = lane.h;
  return Logits(pass, lane.h, batch.logit_rows, weights_.head);
}

// x = W_eh [RmsNorm(Emb(t_{i+1})); RmsNorm(h_i)]: both norms write their half of the row.
void Mtp::Enter(Pass& pass, Lane& lane, Tensor hidden) const {
  const float eps = main_.config().rms_eps;
  const absl::Span<const RowPlace> places = lane.batch.places;
  const Tensor embedded = NewF32(pass, hidden.rows, hidden.cols);
  pass.ops.Embed(lane.batch.ids, weights_.embedding, embedded);
  for (size_t t = 0; t < places.size(); ++t) {
    CHECK_GE(places[t].position, kFirstDraftPosition);
    if (places[t].position > kFirstDraftPosition) continue;
    pass.ops.Embed({0}, weights_.zero, embedded.Rows(static_cast<int64_t>(t), 1));
  }
  const Tensor both = NewAct(pass, hidden.rows, 2 * hidden.cols);
  const auto [left, right] = both.Split(hidden.cols);
  pass.ops.RmsNorm(embedded, weights_.enorm, eps, left);
  pass.ops.RmsNorm(hidden, weights_.hnorm, eps, right);
  lane.x = MatMul(pass, both, weights_.eh_proj);
  lane.h = RmsNorm(pass, lane.x, weights_.first_norm, eps);
}

}  // namespace shoal
