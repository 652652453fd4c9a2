#include "runtime/model/deepseek_load.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/model/deepseek_v3.h"
#include "runtime/model/mtp.h"
#include "runtime/model/rope.h"
#include "runtime/model/tensor_table.h"
#include "runtime/weights/weight_store.h"

namespace shoal {
namespace {

FfnWeights FindFfn(const WeightStore& store, const std::string& prefix) {
  return {store.Matrix(prefix + "gate_proj.weight"), store.Matrix(prefix + "up_proj.weight"),
          store.Matrix(prefix + "down_proj.weight")};
}

MlaWeights FindAttention(const DeepSeekConfig& config, const WeightStore& store,
                         const std::string& prefix) {
  MlaWeights w;
  if (config.q_lora_rank == 0) {
    w.uq = store.Matrix(prefix + "q_proj.weight");
  } else {
    w.dq = store.Matrix(prefix + "q_a_proj.weight");
    w.q_norm = store.Vector(prefix + "q_a_layernorm.weight");
    w.uq = store.Matrix(prefix + "q_b_proj.weight");
  }
  w.dkv = store.Matrix(prefix + "kv_a_proj_with_mqa.weight");
  w.kv_norm = store.Vector(prefix + "kv_a_layernorm.weight");
  w.kv_b = store.Absorbed(prefix + "kv_b_proj.weight");
  w.o = store.Matrix(prefix + "o_proj.weight");
  return w;
}

MoeWeights FindMoe(const DeepSeekConfig& config, const WeightStore& store, int32_t layer,
                   absl::Span<const int32_t> slots) {
  const std::string mlp = absl::StrCat(LayerPrefix(layer), "mlp.");
  MoeWeights w;
  w.index = layer - config.dense_layers;
  w.centroids = store.Vector(mlp + "gate.weight");
  if (config.gate_bias) w.bias = store.Vector(mlp + "gate.e_score_correction_bias");
  if (config.shared_experts > 0) w.shared = FindFfn(store, mlp + "shared_experts.");
  for (const int32_t expert : slots) {
    FfnWeights ffn = FindFfn(store, ExpertPrefix(layer, expert));
    w.gate.push_back(ffn.gate);
    w.up.push_back(ffn.up);
    w.down.push_back(ffn.down);
  }
  return w;
}

// All but next_norm, which belongs to what follows.
LayerWeights FindLayer(const DeepSeekConfig& config, const WeightStore& store, int32_t i,
                       const WeightShare& share) {
  LayerWeights layer;
  layer.attn = FindAttention(config, store, LayerPrefix(i) + "self_attn.");
  layer.ffn_norm = store.Vector(LayerPrefix(i) + "post_attention_layernorm.weight");
  if (i < config.dense_layers) {
    layer.dense = FindFfn(store, LayerPrefix(i) + "mlp.");
  } else {
    layer.moe = FindMoe(config, store, i, share.experts[i - config.dense_layers]);
  }
  return layer;
}

DeepSeekWeights FindWeights(const DeepSeekConfig& config, const WeightStore& store,
                            const WeightShare& share) {
  DeepSeekWeights w;
  const auto norm_before = [&](int32_t layer) {
    return store.Vector(layer == config.layers ? std::string("model.norm.weight")
                                               : LayerPrefix(layer) + "input_layernorm.weight");
  };
  w.embedding = store.Table("model.embed_tokens.weight");
  w.head = store.Matrix("lm_head.weight");
  w.first_norm = norm_before(0);
  for (int32_t i = 0; i < config.layers; ++i) {
    w.layers.push_back(FindLayer(config, store, i, share));
    w.layers.back().next_norm = norm_before(i + 1);
  }
  return w;
}

MtpWeights FindMtp(const DeepSeekConfig& config, const WeightStore& store,
                   const WeightShare& share) {
  const std::string prefix = LayerPrefix(config.layers);
  MtpWeights w;
  w.embedding = store.Table(prefix + "embed_tokens.weight");
  w.enorm = store.Vector(prefix + "enorm.weight");
  w.hnorm = store.Vector(prefix + "hnorm.weight");
  w.eh_proj = store.Matrix(prefix + "eh_proj.weight");
  w.first_norm = store.Vector(prefix + "input_layernorm.weight");
  w.block = FindLayer(config, store, config.layers, share);
  w.block.next_norm = store.Vector(prefix + "shared_head.norm.weight");
  w.head = store.Matrix(prefix + "shared_head.head.weight");
  return w;
}

// A row of zeros on the device, in *memory.
absl::StatusOr<Tensor> UploadZeros(int64_t cols, Device& device, Buffer* memory) {
  const std::vector<float> zeros(static_cast<size_t>(cols));
  const size_t bytes = zeros.size() * sizeof(float);
  ASSIGN_OR_RETURN(*memory, device.Allocate(bytes));
  device.Upload({reinterpret_cast<const std::byte*>(zeros.data()), bytes}, memory->data());
  return Tensor::Of(memory->data(), DType::kF32, 1, cols);
}

// Puts the table on the device; the views point into *memory.
absl::StatusOr<RopeTable> UploadRope(const HostRopeTable& host, Device& device, Buffer* memory) {
  const size_t bytes = host.cos.size() * sizeof(float);
  ASSIGN_OR_RETURN(*memory, device.Allocate(2 * bytes));
  const auto upload = [&](const std::vector<float>& values, std::byte* to) {
    device.Upload({reinterpret_cast<const std::byte*>(values.data()), bytes}, to);
    return Tensor::Of(to, DType::kF32, host.positions, host.half);
  };
  return RopeTable{upload(host.cos, memory->data()), upload(host.sin, memory->data() + bytes)};
}

// Owns what its model's views point into.
class Loaded : public LoadedModel {
 public:
  Loaded(const DeepSeekConfig& config, DeepSeekWeights weights, std::unique_ptr<WeightStore> store,
         Buffer rope_memory, std::string rope_digest)
      : store_(std::move(store)),
        rope_memory_(std::move(rope_memory)),
        rope_digest_(std::move(rope_digest)),
        model_(config, std::move(weights)) {}

  void SetMtp(MtpWeights weights, Buffer zero_memory) {
    zero_memory_ = std::move(zero_memory);
    mtp_.emplace(model_, std::move(weights));
  }

  Tensor Forward(Pass& pass, const Batch& batch) const override {
    return model_.Forward(pass, batch);
  }
  int layers() const override { return model_.layers() + (mtp_.has_value() ? 1 : 0); }
  int kv_line() const override { return model_.kv_line(); }
  int vocab() const override { return model_.vocab(); }
  int max_positions() const override { return model_.max_positions(); }

  const std::string& weights_digest() const override { return store_->digest(); }
  bool weights_digest_covers_experts() const override { return store_->digest_covers_experts(); }
  const std::string& rope_digest() const override { return rope_digest_; }
  int64_t weight_bytes_read() const override { return store_->bytes_read(); }
  const DraftModel* draft() const override { return mtp_.has_value() ? &*mtp_ : nullptr; }

 private:
  const std::unique_ptr<WeightStore> store_;
  const Buffer rope_memory_;
  const std::string rope_digest_;
  const DeepSeekV3 model_;
  Buffer zero_memory_;
  std::optional<Mtp> mtp_;  // beside model_, which it refers to
};

absl::Status CheckPlacement(const DeepSeekConfig& config, const ExpertPlacement& placement,
                            int rank, bool mtp) {
  const int32_t layers = PlacedLayers(config, mtp);
  if (placement.layers() != layers || placement.experts() != config.gate.experts) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the placement is for ", placement.layers(), " MoE layers of ", placement.experts(),
        " experts, but the model ", mtp ? "with its MTP module " : "", "has ", layers, " of ",
        config.gate.experts));
  }
  if (rank < 0 || rank >= placement.ranks()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank is ", rank, ", but the placement has ", placement.ranks()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadDeepSeek(const DeepSeekConfig& config,
                                                          const std::string& folder,
                                                          const ExpertPlacement& placement,
                                                          int rank, Device& device,
                                                          const LoadOptions& options) {
  if (options.mtp && config.mtp_layers != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_nextn_predict_layers is ", config.mtp_layers,
                     ", but drafting takes a model with 1 MTP module"));
  }
  RETURN_IF_ERROR(CheckPlacement(config, placement, rank, options.mtp));
  if (options.max_positions < 0 || options.max_positions > config.max_positions) {
    return absl::InvalidArgumentError(absl::StrCat("max_positions is ", options.max_positions,
                                                   ", but max_position_embeddings is ",
                                                   config.max_positions));
  }
  const WeightShare share = ShareOf(placement, rank);
  ASSIGN_OR_RETURN(std::unique_ptr<WeightStore> store,
                   WeightStore::Open(folder, DeepSeekTensorTable(config, options.mtp), share,
                                     device, {.progress = options.progress}));
  DeepSeekWeights weights = FindWeights(config, *store, share);
  const HostRopeTable rope = MakeRopeTable(
      config, options.max_positions == 0 ? config.max_positions : options.max_positions);
  Buffer rope_memory;
  ASSIGN_OR_RETURN(weights.rope, UploadRope(rope, device, &rope_memory));
  std::optional<MtpWeights> mtp;
  Buffer zero_memory;
  if (options.mtp) {
    mtp = FindMtp(config, *store, share);
    ASSIGN_OR_RETURN(mtp->zero, UploadZeros(config.hidden, device, &zero_memory));
  }
  auto loaded = std::make_unique<Loaded>(config, std::move(weights), std::move(store),
                                         std::move(rope_memory), rope.Digest());
  if (mtp.has_value()) loaded->SetMtp(*std::move(mtp), std::move(zero_memory));
  return absl::StatusOr<std::unique_ptr<LoadedModel>>(std::move(loaded));
}

}  // namespace shoal
