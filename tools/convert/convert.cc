#include "tools/convert/convert.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/model/config.h"
#include "runtime/model/tensor_table.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/file.h"
#include "runtime/weights/quantize.h"
#include "runtime/weights/table_check.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

absl::Status FromError(const std::error_code& error, const std::string& what) {
  return absl::ErrnoToStatus(error.value(), what);
}

absl::StatusOr<std::vector<std::byte>> ReadTensor(const Checkpoint& checkpoint,
                                                  const Checkpoint::Entry& entry) {
  std::vector<std::byte> bytes(entry.tensor.bytes);
  RETURN_IF_ERROR(checkpoint.file(entry.shard).Read(entry.tensor.offset, absl::MakeSpan(bytes)));
  return bytes;
}

std::string Sha256Text(const std::vector<std::byte>& bytes) {
  return HexOf(Sha256Of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

template <typename T>
std::vector<std::byte> AsBytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The whole conversion of one folder.
class Fp8Conversion {
 public:
  Fp8Conversion(const std::string& from, const std::string& to, const ConvertProgress& progress)
      : from_(from), to_(to), progress_(progress), writer_(to) {}

  absl::StatusOr<ConvertResult> Run();

 private:
  absl::Status ReadConfigs();
  absl::Status WriteShard(const Checkpoint& checkpoint, int32_t shard);
  absl::StatusOr<std::vector<std::byte>> Data(const Checkpoint& checkpoint,
                                              const std::string& name);
  absl::StatusOr<Fp8Matrix> Quantize(const Checkpoint& checkpoint, const std::string& name) const;
  absl::Status CopyOtherFiles() const;

  const std::string from_, to_;
  const ConvertProgress& progress_;
  CheckpointWriter writer_;
  TensorTable source_table_;
  std::set<std::string> quantized_;                   // names of matrices that become FP8
  std::map<std::string, std::vector<float>> scales_;  // of matrices already written in this shard
  std::string config_text_;                           // of the result
  ConvertResult result_;
  int64_t total_ = 0;
};

absl::StatusOr<ConvertResult> Fp8Conversion::Run() {
  RETURN_IF_ERROR(ReadConfigs());
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(from_));
  RETURN_IF_ERROR(CheckTable(checkpoint, source_table_));
  std::error_code error;
  fs::create_directory(to_, error);
  if (error) return FromError(error, absl::StrCat("cannot make ", to_));
  for (const absl::string_view name : {kSingleFile, kIndexFile}) {
    if (fs::exists(absl::StrCat(to_, "/", name))) {
      return absl::AlreadyExistsError(absl::StrCat(to_, " already holds ", name));
    }
  }
  total_ = static_cast<int64_t>(checkpoint.entries().size());
  for (int32_t shard = 0; shard < checkpoint.shards(); ++shard)
    RETURN_IF_ERROR(WriteShard(checkpoint, shard));
  RETURN_IF_ERROR(CopyOtherFiles());
  RETURN_IF_ERROR(WriteFileAtomically(
      absl::StrCat(to_, "/config.json"),
      {reinterpret_cast<const std::byte*>(config_text_.data()), config_text_.size()}));
  RETURN_IF_ERROR(writer_.Finish());
  result_.digest = writer_.Digest();
  return result_;
}

absl::Status Fp8Conversion::ReadConfigs() {
  const std::string path = absl::StrCat(from_, "/config.json");
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxConfigBytes));
  ASSIGN_OR_RETURN(const DeepSeekConfig config, ParseDeepSeekConfig(text, path));
  if (config.fp8) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": quantization_config is there already"));
  }
  ASSIGN_OR_RETURN(json document, ParseStrictJson(text, path));
  document["quantization_config"] = {{"activation_scheme", "dynamic"},
                                     {"fmt", "e4m3"},
                                     {"quant_method", "fp8"},
                                     {"weight_block_size", {kScaleBlock, kScaleBlock}}};
  config_text_ = document.dump(2) + "\n";
  source_table_ = DeepSeekTensorTable(config);
  ASSIGN_OR_RETURN(const DeepSeekConfig fp8, ParseDeepSeekConfig(config_text_, path));
  for (const TensorSpec& spec : DeepSeekTensorTable(fp8)) {
    if (spec.dtypes.front() == DType::kF8E4M3) quantized_.insert(spec.name);
  }
  return absl::OkStatus();
}

absl::Status Fp8Conversion::WriteShard(const Checkpoint& checkpoint, int32_t shard) {
  std::vector<CheckpointWriter::NewTensor> tensors;
  for (const auto& [name, entry] : checkpoint.entries()) {
    if (entry.shard != shard) continue;
    const StoredTensor& t = entry.tensor;
    if (!quantized_.contains(name)) {
      tensors.push_back({name, t.dtype, t.shape});
      continue;
    }
    const auto blocks = [](int64_t n) { return (n + kScaleBlock - 1) / kScaleBlock; };
    tensors.push_back({name, DType::kF8E4M3, t.shape});
    tensors.push_back({ScaleName(name), DType::kF32, {blocks(t.shape[0]), blocks(t.shape[1])}});
  }
  const std::string file = fs::path(checkpoint.file(shard).path()).filename();
  scales_.clear();
  return writer_.WriteShard(file, std::move(tensors), [&](const CheckpointWriter::NewTensor& t) {
    absl::StatusOr<std::vector<std::byte>> data = Data(checkpoint, t.name);
    if (data.ok()) result_.bytes += static_cast<int64_t>(data->size());
    return data;
  });
}

// A matrix is quantized twice, for its scales and for its data: scales stand first in a shard, and
// holding every matrix of a shard until then would take gigabytes.
absl::StatusOr<std::vector<std::byte>> Fp8Conversion::Data(const Checkpoint& checkpoint,
                                                           const std::string& name) {
  if (absl::EndsWith(name, kScaleSuffix)) {
    ASSIGN_OR_RETURN(const Fp8Matrix q,
                     Quantize(checkpoint, name.substr(0, name.size() - kScaleSuffix.size())));
    return AsBytes(q.scales);
  }
  if (progress_) progress_(result_.quantized + result_.copied, total_);
  if (quantized_.contains(name)) {
    ++result_.quantized;
    ASSIGN_OR_RETURN(const Fp8Matrix q, Quantize(checkpoint, name));
    return AsBytes(q.data);
  }
  ++result_.copied;
  return ReadTensor(checkpoint, checkpoint.entries().at(name));
}

absl::StatusOr<Fp8Matrix> Fp8Conversion::Quantize(const Checkpoint& checkpoint,
                                                  const std::string& name) const {
  const Checkpoint::Entry& entry = checkpoint.entries().at(name);
  ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadTensor(checkpoint, entry));
  std::vector<BF16> values(bytes.size() / sizeof(BF16));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i].ToFloat())) {
      return absl::InvalidArgumentError(absl::StrCat(checkpoint.file(entry.shard).path(),
                                                     ": tensor ", name, ", element ", i,
                                                     " is not finite"));
    }
  }
  return QuantizeFp8(values, entry.tensor.shape[0], entry.tensor.shape[1]);
}

// Tokenizer, generation defaults, licence and the like.
absl::Status Fp8Conversion::CopyOtherFiles() const {
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(from_, error)) {
    const std::string name = file.path().filename();
    const bool ours = name == kIndexFile || name == kDigestsFile || name == "config.json" ||
                      absl::EndsWith(name, ".safetensors");
    std::error_code unreadable;  // a link to nowhere is none of ours
    if (ours || !file.is_regular_file(unreadable)) continue;
    fs::copy_file(file.path(), absl::StrCat(to_, "/", name), fs::copy_options::overwrite_existing,
                  error);
    if (error) return FromError(error, absl::StrCat("cannot copy ", name, " to ", to_));
  }
  return error ? FromError(error, absl::StrCat("cannot list ", from_)) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConvertResult> ConvertToFp8(const std::string& from, const std::string& to,
                                           const ConvertProgress& progress) {
  return Fp8Conversion(from, to, progress).Run();
}

absl::StatusOr<std::string> AddDigests(const std::string& folder) {
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(folder));
  std::map<std::string, std::string> sha256_of;
  Sha256 all;
  for (const auto& [name, entry] : checkpoint.entries()) {
    if (!entry.sha256.empty())
      return absl::AlreadyExistsError(absl::StrCat(folder, " already holds ", kDigestsFile));
    ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadTensor(checkpoint, entry));
    sha256_of[name] = Sha256Text(bytes);
    all.Update(absl::StrCat(name, " ", sha256_of[name], "\n"));
  }
  const std::string text = DigestsJson(sha256_of);
  RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(folder, "/", kDigestsFile),
                          {reinterpret_cast<const std::byte*>(text.data()), text.size()}));
  return HexOf(all.Finish());
}

}  // namespace shoal
