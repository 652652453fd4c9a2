#include "tests/parity/mtp_rig.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/loopback/loopback.h"
#include "runtime/model/model.h"
#include "runtime/model/tensor_table.h"
#include "runtime/moe/exchange.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/dtype.h"

namespace shoal {
namespace {

class Rig : public MtpRig {
 public:
  Rig(const DeepSeekConfig& config, ExpertPlacement placement, int positions, MtpRigParts parts)
      : config_(config),
        parts_(std::move(parts)),
        placement_(std::move(placement)),
        group_(LoopbackGroup(1)),
        exchange_(NewHostExchange(*group_[0].comm, placement_,
                                  {config.hidden, config.gate.top_k, act()})),
        wrapped_(parts_.wrap_ops ? parts_.wrap_ops(parts_.device->ops()) : nullptr),
        arena_(parts_.device->arena_source()) {
    // Descending, so that no block stands where its index would put it.
    for (int b = (positions + kKvBlock - 1) / kKvBlock; b > 0; --b) table_.push_back(b - 1);
    tables_ = {table_};
  }

  absl::Status Load(const std::string& folder, int positions) {
    LoadOptions options;
    options.mtp = true;
    ASSIGN_OR_RETURN(model_, LoadDeepSeek(config_, folder, placement_, 0, *parts_.device, options));
    CHECK_EQ(model_->layers(), config_.layers + 1);
    const int64_t lines = lines_per_layer() * model_->layers();
    ASSIGN_OR_RETURN(cache_, NewTensor(lines, model_->kv_line(), &cache_memory_));
    ASSIGN_OR_RETURN(states_, NewTensor(positions, config_.hidden, &states_memory_));
    ASSIGN_OR_RETURN(own_states_, NewTensor(positions, config_.hidden, &own_memory_));
    return absl::OkStatus();
  }

  absl::StatusOr<Rows> Forward(int begin, absl::Span<const TokenId> ids) override {
    const Run run(begin, ids);
    Tensor hidden;
    Pass pass = NewPass(&hidden);
    const Tensor logits = model_->Forward(pass, run.batch(tables_));
    if (parts_.change_states) parts_.change_states(pass.ops, hidden);
    pass.ops.GatherRows(hidden, run.all, states_.Rows(begin, hidden.rows));
    return Download(pass, logits);
  }
  absl::StatusOr<Rows> Draft(int begin, absl::Span<const TokenId> ids) override {
    return DraftAfter(states_, begin, ids);
  }
  absl::StatusOr<std::vector<float>> Chain(int position, TokenId id) override {
    ASSIGN_OR_RETURN(Rows rows, DraftAfter(own_states_, position, {id}));
    return std::move(rows[0]);
  }

 private:
  // Rows of the one sequence, all with logits.
  struct Run {
    Run(int begin, absl::Span<const TokenId> tokens) : ids(tokens), all(tokens.size()) {
      std::iota(all.begin(), all.end(), 0);
      for (const int32_t i : all) places.push_back({begin + i, 0});
    }
    Batch batch(const std::vector<absl::Span<const int32_t>>& tables) const {
      return {ids, places, tables, all};
    }
    absl::Span<const TokenId> ids;
    std::vector<RowPlace> places;
    std::vector<int32_t> all;
  };

  DType act() const { return parts_.device->ops().activation_dtype(); }
  int64_t lines_per_layer() const { return static_cast<int64_t>(table_.size()) * kKvBlock; }

  absl::StatusOr<Tensor> NewTensor(int64_t rows, int64_t cols, Buffer* memory) {
    ASSIGN_OR_RETURN(*memory,
                     parts_.device->Allocate(static_cast<size_t>(rows * cols) * SizeOf(act())));
    return Tensor::Of(memory->data(), act(), rows, cols);
  }
  Pass NewPass(Tensor* hidden) {
    arena_.Reset();
    Pass pass{wrapped_ ? *wrapped_ : parts_.device->ops(), arena_};
    pass.exchange = exchange_.get();
    pass.kv_lines = cache_;
    pass.kv_lines_per_layer = lines_per_layer();
    pass.hidden = hidden;
    return pass;
  }
  // The module's rows, each with the state of the position before it.
  absl::StatusOr<Rows> DraftAfter(Tensor states, int begin, absl::Span<const TokenId> ids) {
    const Run run(begin, ids);
    const auto count = static_cast<int64_t>(ids.size());
    Tensor own;
    Pass pass = NewPass(&own);
    const Tensor logits =
        model_->draft()->Draft(pass, run.batch(tables_), states.Rows(begin - 1, count));
    pass.ops.GatherRows(own, run.all, own_states_.Rows(begin, count));
    return Download(pass, logits);
  }
  absl::StatusOr<Rows> Download(Pass& pass, Tensor logits) {
    RETURN_IF_ERROR(pass.ops.Finish());
    RETURN_IF_ERROR(group_[0].comm->status());
    Rows rows(static_cast<size_t>(logits.rows));
    for (size_t t = 0; t < rows.size(); ++t) {
      rows[t].resize(static_cast<size_t>(logits.cols));
      parts_.device->Download(
          reinterpret_cast<const std::byte*>(logits.At<float>(static_cast<int64_t>(t))),
          {reinterpret_cast<std::byte*>(rows[t].data()), rows[t].size() * sizeof(float)});
    }
    return rows;
  }

  const DeepSeekConfig config_;
  const MtpRigParts parts_;
  const ExpertPlacement placement_;
  const std::vector<LoopbackRank> group_;
  const std::unique_ptr<ExpertExchange> exchange_;
  const std::unique_ptr<Ops> wrapped_;
  Arena arena_;
  std::vector<int32_t> table_;
  std::vector<absl::Span<const int32_t>> tables_;
  std::unique_ptr<LoadedModel> model_;
  Buffer cache_memory_, states_memory_, own_memory_;
  Tensor cache_;
  Tensor states_, own_states_;  // [positions, hidden]: the main model's and the module's
};

}  // namespace

absl::StatusOr<std::unique_ptr<MtpRig>> MtpRig::Open(const DeepSeekConfig& config,
                                                     const std::string& folder, int positions,
                                                     MtpRigParts parts) {
  ASSIGN_OR_RETURN(ExpertPlacement placement,
                   ExpertPlacement::Contiguous(PlacedLayers(config, true), config.gate.experts, 1));
  auto rig = std::make_unique<Rig>(config, std::move(placement), positions, std::move(parts));
  RETURN_IF_ERROR(rig->Load(folder, positions));
  return absl::StatusOr<std::unique_ptr<MtpRig>>(std::move(rig));
}

}  // namespace shoal
