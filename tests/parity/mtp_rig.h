#ifndef SHOAL_TESTS_PARITY_MTP_RIG_H_
#define SHOAL_TESTS_PARITY_MTP_RIG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/model/config.h"
#include "runtime/model/deepseek_load.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// What a test rig is made of, beside the checkpoint.
struct MtpRigParts {
  std::unique_ptr<Device> device;
  std::function<std::unique_ptr<Ops>(Ops& real)> wrap_ops;  // of every pass; may be null
  // Rewrites the states [n, hidden] that Forward hands to the module; may be null.
  std::function<void(Ops& ops, Tensor states)> change_states;
};

// One sequence on one rank: the main model and its MTP module, called as an engine calls them.  The
// states of all positions are kept, so that drafts may come when the test likes.
class MtpRig {
 public:
  using Rows = std::vector<std::vector<float>>;  // [n][vocab]

  virtual ~MtpRig() = default;
  // `folder` holds a checkpoint of `config`; the sequence has at most `positions`.
  static absl::StatusOr<std::unique_ptr<MtpRig>> Open(const DeepSeekConfig& config,
                                                      const std::string& folder, int positions,
                                                      MtpRigParts parts);

  // Tokens at positions begin, begin + 1, ...: the logits of all.  Begins anew with begin == 0.
  virtual absl::StatusOr<Rows> Forward(int begin, absl::Span<const TokenId> ids) = 0;
  // The module's rows of tokens at positions begin.. (from 1), after Forward of those before them.
  virtual absl::StatusOr<Rows> Draft(int begin, absl::Span<const TokenId> ids) = 0;
  // The module's row of a token at `position`, with the module's own state of the row before it.
  virtual absl::StatusOr<std::vector<float>> Chain(int position, TokenId id) = 0;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_MTP_RIG_H_
