#include "tools/checkpoint/random.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/model/config.h"
#include "runtime/model/random_weights.h"
#include "runtime/model/tensor_table.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/file.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr int64_t kHeaderBytesPerTensor = 300;  // more than a header and the index take

absl::Status WriteText(const std::string& path, absl::string_view text) {
  return WriteFileAtomically(path, {reinterpret_cast<const std::byte*>(text.data()), text.size()});
}

int64_t BytesOf(const TensorSpec& spec) {
  return spec.elements() * static_cast<int64_t>(SizeOf(spec.dtypes.front()));
}

// In the table's order, as real checkpoints are cut; a matrix and its scales stay together.
std::vector<std::vector<CheckpointWriter::NewTensor>> CutIntoShards(const TensorTable& table,
                                                                    int64_t shard_bytes) {
  std::vector<std::vector<CheckpointWriter::NewTensor>> shards(1);
  int64_t used = 0;
  for (const TensorSpec& spec : table) {
    const int64_t bytes = BytesOf(spec);
    if (used > 0 && used + bytes > shard_bytes && spec.dtypes.front() != DType::kF32) {
      shards.emplace_back();
      used = 0;
    }
    shards.back().push_back({spec.name, spec.dtypes.front(), spec.shape});
    used += bytes;
  }
  return shards;
}

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make ", folder));
  for (const absl::string_view file : {kSingleFile, kIndexFile}) {
    if (fs::exists(fs::path(folder) / std::string(file))) {
      return absl::AlreadyExistsError(absl::StrCat(folder, " holds ", file, " already"));
    }
  }
  return absl::OkStatus();
}

// What a router reads beside config.json.  A folder without generation defaults gets the config's
// own end token.
absl::Status CopyTokenizer(const RandomCheckpointSpec& spec) {
  struct File {
    const char* name;
    bool needed;
  };
  for (const File& file :
       {File{"tokenizer.json", true}, File{"tokenizer_config.json", true},
        File{"chat_template.jinja", false}, File{"generation_config.json", false}}) {
    const std::string from = absl::StrCat(spec.tokenizer, "/", file.name);
    if (!file.needed && !fs::exists(from)) continue;
    std::error_code error;
    fs::copy_file(from, absl::StrCat(spec.to, "/", file.name), fs::copy_options::overwrite_existing,
                  error);
    if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot copy ", from));
  }
  const std::string generation = absl::StrCat(spec.to, "/generation_config.json");
  const json config = json::parse(spec.config_json);
  if (fs::exists(generation) || !config.contains("eos_token_id")) return absl::OkStatus();
  return WriteText(generation, json({{"eos_token_id", config["eos_token_id"]}}).dump(1) + "\n");
}

// Refuses what can be refused before any weight is written.
absl::Status Prepare(const RandomCheckpointSpec& spec, const TensorTable& table, int64_t bytes) {
  RETURN_IF_ERROR(MakeFolder(spec.to));
  std::error_code error;
  const fs::space_info space = fs::space(spec.to, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot measure ", spec.to));
  const int64_t headers = static_cast<int64_t>(table.size()) * kHeaderBytesPerTensor;
  RETURN_IF_ERROR(CheckRoom(spec.to, static_cast<uint64_t>(bytes + headers), space.available));
  if (!spec.tokenizer.empty()) RETURN_IF_ERROR(CopyTokenizer(spec));
  return WriteText(absl::StrCat(spec.to, "/config.json"), spec.config_json);
}

}  // namespace

absl::StatusOr<std::string> EditedConfig(absl::string_view config_json, absl::string_view file,
                                         const ConfigEdits& edits) {
  ASSIGN_OR_RETURN(json config, ParseStrictJson(config_json, file));
  if (!config.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the document is ", ShownJson(config), ", not an object"));
  }
  if (edits.form == "fp8") {
    config["quantization_config"] = {{"quant_method", "fp8"},
                                     {"fmt", "e4m3"},
                                     {"activation_scheme", "dynamic"},
                                     {"weight_block_size", {kScaleBlock, kScaleBlock}}};
  } else if (edits.form == "bf16") {
    config.erase("quantization_config");
  } else if (!edits.form.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the form is \"", Shown(edits.form), "\", but only fp8 and bf16 are known"));
  }
  if (edits.layers != 0) config["num_hidden_layers"] = edits.layers;
  for (const auto& [field, value] : edits.fields) {
    if (!config.contains(field)) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, " has no field ", Shown(field), " to set to ", Shown(value)));
    }
    ASSIGN_OR_RETURN(config[field], ParseStrictJson(value, absl::StrCat("the value of ", field,
                                                                        ", ", Shown(value))));
  }
  return config.dump(2) + "\n";
}

absl::Status CheckRoom(const std::string& folder, uint64_t needed, uint64_t free) {
  if (needed <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the checkpoint takes ", needed, " bytes, but ",
                                                   folder, " has room for ", free));
}

absl::StatusOr<RandomCheckpointResult> MakeRandomCheckpoint(const RandomCheckpointSpec& spec,
                                                            const BytesProgress& progress) {
  ASSIGN_OR_RETURN(const DeepSeekConfig config, ParseDeepSeekConfig(spec.config_json));
  if (spec.shard_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shard is to hold ", spec.shard_bytes, " bytes"));
  }
  const TensorTable table = DeepSeekTensorTable(config, /*mtp=*/true);
  RandomCheckpointResult result;
  result.tensors = static_cast<int64_t>(table.size());
  int64_t total = 0;
  for (const TensorSpec& tensor : table) total += BytesOf(tensor);
  RETURN_IF_ERROR(Prepare(spec, table, total));

  const RandomWeights weights(table, spec.seed);
  std::vector<std::byte> piece(kPieceBytes);
  const auto data = [&](const CheckpointWriter::NewTensor& tensor, CheckpointWriter::Sink sink) {
    uint64_t bytes = SizeOf(tensor.dtype);
    for (const int64_t dim : tensor.shape) bytes *= static_cast<uint64_t>(dim);
    for (uint64_t at = 0; at < bytes; at += kPieceBytes) {
      const absl::Span<std::byte> part =
          absl::MakeSpan(piece).first(std::min<uint64_t>(kPieceBytes, bytes - at));
      weights.Fill(tensor.name, at, part);
      RETURN_IF_ERROR(sink(part));
      result.bytes += static_cast<int64_t>(part.size());
      if (progress) progress(result.bytes, total);
    }
    return absl::OkStatus();
  };
  auto shards = CutIntoShards(table, spec.shard_bytes);
  result.shards = static_cast<int>(shards.size());
  CheckpointWriter writer(spec.to, {.digests = spec.digests});
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string file = shards.size() == 1 ? std::string(kSingleFile)
                                                : absl::StrFormat("model-%05d-of-%05d.safetensors",
                                                                  s + 1, shards.size());
    RETURN_IF_ERROR(writer.StreamShard(file, std::move(shards[s]), data));
  }
  RETURN_IF_ERROR(writer.Finish());
  if (spec.digests) result.digest = writer.Digest();
  return result;
}

}  // namespace shoal
