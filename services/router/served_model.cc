#include "services/router/served_model.h"

#include <cstdint>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/weights/file.h"

namespace shoal {
namespace {

struct GenerationDefaults {
  SamplingOptions sampling;
  std::vector<TokenId> end_tokens;
};

constexpr uint64_t kMaxGenerationConfigBytes = uint64_t{1} << 20;

// Fields that say nothing to us, each with the reason in the name of the other side.
constexpr absl::string_view kIgnored[] = {
    "_from_model_config",    // provenance
    "transformers_version",  // provenance
    "do_sample",             // read below only as "greedy" when false
    "bos_token_id",          // the chat template writes it
    "pad_token_id",          // nothing is padded
};

absl::StatusOr<GenerationDefaults> ParseGenerationConfig(const std::string& file,
                                                         const std::string& text) {
  ASSIGN_OR_RETURN(const nlohmann::json json, ParseStrictJson(text, file));
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the document is ", ShownJson(json), ", not an object"));
  }
  GenerationDefaults out;
  out.sampling.temperature = 1;
  bool greedy = false;
  // Numbers that a cast would bend are left for the last branch.
  const auto is_real = [](const nlohmann::json& v) {
    return v.is_number() && v >= -1e6 && v <= 1e6;
  };
  const auto is_int = [](const nlohmann::json& v) {
    return v.is_number_integer() && v >= INT32_MIN && v <= INT32_MAX &&
           (!v.is_number_unsigned() || v.get<uint64_t>() <= INT32_MAX);
  };
  for (const auto& [key, value] : json.items()) {
    if (key == "temperature" && is_real(value)) {
      out.sampling.temperature = value.get<float>();
    } else if (key == "top_p" && is_real(value)) {
      out.sampling.top_p = value.get<float>();
    } else if (key == "top_k" && is_int(value)) {
      out.sampling.top_k = value.get<int32_t>();
    } else if (key == "eos_token_id" && is_int(value)) {
      out.end_tokens = {value.get<TokenId>()};
    } else if (key == "eos_token_id" && value.is_array() && absl::c_all_of(value, is_int)) {
      out.end_tokens = value.get<std::vector<TokenId>>();
    } else if (key == "do_sample" && value.is_boolean()) {
      greedy = !value.get<bool>();
    } else if (!absl::c_linear_search(kIgnored, key)) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": ", Shown(key), " is ", ShownJson(value),
                       ": an unknown field, or not of its type or range"));
    }
  }
  if (greedy) out.sampling.temperature = 0;
  RETURN_IF_ERROR(Annotate(Validate(out.sampling), file));
  return out;
}

absl::StatusOr<GenerationDefaults> ReadGenerationConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/generation_config.json");
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxGenerationConfigBytes));
  return ParseGenerationConfig(path, text);
}

absl::Status CheckAgreement(const ServedModel& model, const std::string& folder) {
  const auto vocab = static_cast<size_t>(model.config.vocab);
  if (model.text.tokenizer->vocab_size() > vocab) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": tokenizer.json has ",
                                                   model.text.tokenizer->vocab_size(),
                                                   " ids, config.json vocab_size is ", vocab));
  }
  for (const TokenId id : model.end_tokens) {
    if (id >= 0 && id < model.config.vocab) continue;
    return absl::InvalidArgumentError(absl::StrCat(folder,
                                                   ": generation_config.json eos_token_id is ", id,
                                                   ", config.json vocab_size is ", vocab));
  }
  if (!absl::c_linear_search(model.end_tokens, model.text.eos)) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": tokenizer_config.json eos_token is id ", model.text.eos,
                     ", generation_config.json eos_token_id is ",
                     model.end_tokens.empty() ? -1 : model.end_tokens.front()));
  }
  return absl::OkStatus();
}

}  // namespace

v1::Model ServedModel::Describe(const std::string& weight_digest,
                                const std::string& numerics_id) const {
  v1::Model out;
  out.set_name(name);
  out.set_architecture(config.model_type);
  out.set_max_positions(config.max_positions);
  out.set_vocab_size(config.vocab);
  out.set_weight_format(config.fp8 ? "FP8_E4M3_128x128" : "BF16");
  out.set_weight_digest(weight_digest);
  out.set_config_digest(config.Digest());
  out.set_tokenizer_digest(text.tokenizer->digest());
  out.set_numerics_id(numerics_id);
  out.set_chat_format(std::string(text.chat_template.name()));
  auto* sampling = out.mutable_default_sampling();
  sampling->set_temperature(default_sampling.temperature);
  sampling->set_top_p(default_sampling.top_p);
  sampling->set_top_k(default_sampling.top_k);
  sampling->set_min_p(default_sampling.min_p);
  auto* published = out.mutable_limits();
  published->set_max_prompt_bytes(limits.max_prompt_bytes);
  published->set_max_messages(limits.max_messages);
  published->set_max_output_tokens(limits.max_output_tokens);
  published->set_max_stop_token_ids(limits.max_stop_token_ids);
  return out;
}

absl::StatusOr<ServedModel> LoadServedModel(const std::string& folder, const std::string& name,
                                            const ServingLimits& limits) {
  ASSIGN_OR_RETURN(DeepSeekConfig config, ReadDeepSeekConfig(folder));
  ASSIGN_OR_RETURN(TextModel text, LoadTextModel(folder));
  ASSIGN_OR_RETURN(GenerationDefaults defaults, ReadGenerationConfig(folder));
  ServedModel model{.name = name,
                    .text = std::move(text),
                    .config = std::move(config),
                    .default_sampling = defaults.sampling,
                    .end_tokens = std::move(defaults.end_tokens),
                    .limits = limits};
  RETURN_IF_ERROR(CheckAgreement(model, folder));
  if (model.limits.max_output_tokens == 0) {
    model.limits.max_output_tokens = model.config.max_positions;
  }
  return model;
}

}  // namespace shoal
