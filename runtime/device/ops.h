#ifndef SHOAL_RUNTIME_DEVICE_OPS_H_
#define SHOAL_RUNTIME_DEVICE_OPS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

inline constexpr int kKvBlock =
    64;  // positions in a KV block, and in an attention tile (numerics rule N5)

// Where row t of a batch stands: its absolute position, and the block table of its sequence.
// Positions of one sequence in one batch ascend.  The row attends to positions
// KvLayer::first..position, its own included.
struct RowPlace {
  int32_t position = 0;
  int32_t table = 0;  // index into KvLayer::tables
};

// One layer's cache in blocks of kKvBlock positions: a line holds [c_kv (kv_lora_rank) | k_rope
// (rope_dim)] in the activation dtype, the rope part already rotated.  Position p of the sequence
// with block table b is line b[p / kKvBlock] * kKvBlock + p % kKvBlock.
struct KvLayer {
  Tensor lines;  // [blocks * kKvBlock, kv_lora_rank + rope_dim]
  absl::Span<const absl::Span<const int32_t>> tables;
  // The first position that has a line; rows attend from there on, and none stands before it.  Less
  // than kKvBlock.  (The MTP module has no row for a sequence's first token.)
  int32_t first = 0;
};

// cos and sin of position * frequency, factors (YaRN) folded in; one routine makes it
// (model/rope.h) for every backend, and its digest is part of the numerics id.
struct RopeTable {
  Tensor cos, sin;  // [max_positions, rope_dim / 2] F32
};

enum class GateScore : uint8_t { kSigmoid, kSoftmax };

struct GateConfig {
  GateScore score = GateScore::kSigmoid;
  int experts = 0, top_k = 0;
  int groups = 1,
      top_groups = 1;  // of `groups` equal groups only the best `top_groups` may be chosen from
  int group_score_terms =
      2;  // a group's score is the sum of its so many largest s' (noaux_tc: 2; V2: 1)
  bool normalize = true;  // divide the chosen weights by their sum (+1e-20)
  float scale = 1;        // routed_scaling_factor
};

// Which experts each row goes to; host memory.  Within a row experts ascend by id (numerics rule
// N9).
struct Routing {
  int k = 0;
  std::vector<int32_t> expert;  // [T * k]
  std::vector<float> weight;    // [T * k]
  int64_t rows() const { return k == 0 ? 0 : static_cast<int64_t>(expert.size()) / k; }
};

// The device boundary: about one virtual per line of the paper.  A backend implements all of them
// on its own memory and queue.  None of them blocks for another rank, none fails: a device error is
// sticky and is what Finish() returns.  Shapes that do not fit are our own bugs: CHECK.
//
// "act" is activation_dtype(): BF16 for serving backends, F32 for the reference backend, so that
// one model code gives both the fast path and the parity reference.  Casts to act happen inside the
// op whose `out` is act, once (numerics rule N4).  T == 0 rows is legal everywhere.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual DType activation_dtype() const = 0;

  // out[t] = table[ids[t]].  table [vocab, d] BF16 or F32 row-major (not laid out); out [T, d] F32.
  virtual void Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) = 0;

  // out = x / sqrt(mean(x^2) + eps) * gain.  x [T, d] F32 or act; gain [1, d] F32; out act.
  virtual void RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) = 0;

  // x += delta, then out = RmsNorm(x).  x, delta [T, d] F32; out act.
  virtual void AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) = 0;

  // out = x w^T.  x [T, in] act; w [out, in]; out [T, out] F32 or act.
  virtual void MatMul(Tensor x, const Weight& w, Tensor out) = 0;

  // Per head i: out_i = x_i w_i^T.  x [T, H, in] act; w: H weights [out, in]; out [T, H, out] act
  // or F32.
  virtual void HeadMatMul(Tensor x, absl::Span<const Weight> w, Tensor out) = 0;

  // Per group g: out_g = x_g w_g^T, where x's rows lie group by group, rows[g] of them (0 is
  // legal). x [sum rows, in] act; out [sum rows, out] F32 or act.
  virtual void GroupedMatMul(Tensor x, absl::Span<const int32_t> rows, absl::Span<const Weight> w,
                             Tensor out) = 0;

  // out = silu(gate) * up.  gate, up [T, n] F32; out [T, n] act.
  virtual void SwiGlu(Tensor gate, Tensor up, Tensor out) = 0;

  // Rotates pairs (2i, 2i+1) of the last axis in place (DeepSeek's interleaved layout).  x [T, H,
  // rope_dim] F32; out [T, H, rope_dim] act.
  virtual void Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows,
                    Tensor out) = 0;

  // Writes row t's line: latent [T, kv_rank] act, k_rope [T, rope_dim] act (rotated).
  virtual void AppendKv(const KvLayer& kv, Tensor latent, Tensor k_rope,
                        absl::Span<const RowPlace> rows) = 0;

  // Absorbed multi-head latent attention over the cache (V2 paper 2.1.2, appendix on low-rank
  // absorption):
  //   s_j = scale * (q_latent . c_j + q_rope . k_j),  out = sum_j softmax(s)_j c_j
  // in tiles of kKvBlock positions from position 0 (rule N5); j runs from kv.first.
  // q_latent [T, H, kv_rank] act; q_rope [T, H, rope_dim] act; out [T, H, kv_rank] act.
  virtual void MlaAttend(Tensor q_latent, Tensor q_rope, const KvLayer& kv,
                         absl::Span<const RowPlace> rows, float scale, Tensor out) = 0;

  // The router of V3 paper eq. 13-16, in float32 in fixed order (rule N10): logits = x w^T, scores,
  // biased group-limited top-k (unselected groups are -inf), unbiased weights.  Ties: the lowest
  // index. x [T, d] act; w [experts, d] F32 row-major; bias [1, experts] F32 or empty.
  virtual void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) = 0;

  // out[t] = fma(weight[j], home[j], out[t]) for j over t's pairs in ascending expert id (rule N9).
  // home [T * k, d] act, pair-ordered as `routing`; out [T, d] F32, holding the shared expert's
  // output.
  virtual void CombineExperts(Tensor home, const Routing& routing, Tensor out) = 0;

  // out = x in act.  x F32.
  virtual void Cast(Tensor x, Tensor out) = 0;
  // out[i] = x[index[i]], whole rows, any dtype.
  virtual void GatherRows(Tensor x, absl::Span<const int32_t> index, Tensor out) = 0;
  // x += y.  Both [T, d] F32.
  virtual void Add(Tensor x, Tensor y) = 0;

  // Waits until all queued work is done; the first error since the last Finish().
  virtual absl::Status Finish() = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_OPS_H_
