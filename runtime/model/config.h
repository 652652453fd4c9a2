#ifndef SHOAL_RUNTIME_MODEL_CONFIG_H_
#define SHOAL_RUNTIME_MODEL_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/device/ops.h"

namespace shoal {

// rope_scaling of type yarn (arXiv 2309.00071).
struct YarnConfig {
  double factor = 1;
  int32_t original_max_positions = 0;
  double beta_fast = 32, beta_slow = 1;
  double mscale = 1, mscale_all_dim = 0;
};

// A model of the DeepSeek-V2/V3 architecture, from its Hugging Face config.json.  Every value was
// checked: sizes are positive and bounded, and values that contradict each other were refused.
struct DeepSeekConfig {
  std::string model_type;  // "deepseek_v3" or "deepseek_v2"
  int32_t hidden = 0, vocab = 0, max_positions = 0;
  int32_t layers = 0;        // without the MTP modules
  int32_t dense_layers = 0;  // the first so many have a dense FFN; fewer than layers
  int32_t mtp_layers = 0;    // modules that the checkpoint carries after the last layer
  float rms_eps = 0;
  int32_t bos_id = -1, eos_id = -1;  // -1: none given

  int32_t heads = 0;
  int32_t q_lora_rank = 0;  // 0: the query has no low-rank form (V2-Lite)
  int32_t kv_lora_rank = 0, nope_dim = 0, rope_dim = 0, v_dim = 0;
  double rope_theta = 0;
  std::optional<YarnConfig> yarn;

  int32_t dense_ffn = 0;       // width of a dense layer's FFN
  int32_t expert_ffn = 0;      // of one routed expert
  int32_t shared_experts = 0;  // held as one FFN of shared_experts * expert_ffn; may be 0
  GateConfig gate;
  bool gate_bias = false;  // e_score_correction_bias (noaux_tc)

  bool fp8 = false;  // linear layers are e4m3 with 128 x 128 block scales

  int32_t moe_layers() const { return layers - dense_layers; }
  int32_t shared_ffn() const { return shared_experts * expert_ffn; }
  int32_t qk_dim() const { return nope_dim + rope_dim; }
  int32_t kv_line() const { return kv_lora_rank + rope_dim; }

  // SHA-256 (hex) over the values above, whatever else the file says: equal configs are equal
  // models.
  std::string Digest() const;
};

// INVALID_ARGUMENT, naming the field and the values: what is missing, of the wrong type, out of
// range, unknown, unsupported (by name), or at odds with another field.  A field that has no effect
// here is accepted by name only.
absl::StatusOr<DeepSeekConfig> ParseDeepSeekConfig(absl::string_view json,
                                                   absl::string_view file = "config.json");

// FOLDER/config.json; NOT_FOUND when there is none.
absl::StatusOr<DeepSeekConfig> ReadDeepSeekConfig(const std::string& folder);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_CONFIG_H_
