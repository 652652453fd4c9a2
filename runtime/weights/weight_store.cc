#include "runtime/weights/weight_store.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/weights/absorb.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/read_plan.h"
#include "runtime/weights/same_data.h"
#include "runtime/weights/table_check.h"

namespace shoal {
namespace {

constexpr size_t Aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// What one tensor of the table became on the device.
struct Held {
  TensorSpec::Use use;
  Weight weight;               // kMatrix
  Tensor tensor;               // kVector, kTable, kScale
  std::vector<Weight> uk, uv;  // kAbsorbed
};

class Loader;

class Store : public WeightStore {
 public:
  Weight Matrix(absl::string_view name) const override {
    return Get(name, TensorSpec::Use::kMatrix).weight;
  }
  Tensor Vector(absl::string_view name) const override {
    return Get(name, TensorSpec::Use::kVector).tensor;
  }
  Tensor Table(absl::string_view name) const override {
    return Get(name, TensorSpec::Use::kTable).tensor;
  }
  AbsorbedHeads Absorbed(absl::string_view name) const override {
    const Held& held = Get(name, TensorSpec::Use::kAbsorbed);
    return {held.uk, held.uv};
  }
  const std::string& digest() const override { return digest_; }
  bool digest_covers_experts() const override { return digest_covers_experts_; }
  int64_t bytes_read() const override { return bytes_read_; }

 private:
  friend class Loader;
  const Held& Get(absl::string_view name, TensorSpec::Use use) const {
    const auto found = held_.find(name);
    CHECK(found != held_.end() && found->second.use == use)
        << "no such weight in this share: " << name;
    return found->second;
  }

  Buffer memory_;
  absl::flat_hash_map<std::string, Held> held_;
  std::string digest_;
  bool digest_covers_experts_ = false;
  int64_t bytes_read_ = 0;
};

// Fills one Store.  Lives as long as Open() runs.
class Loader {
 public:
  Loader(Checkpoint& checkpoint, Device& device, const WeightStore::Options& options)
      : checkpoint_(checkpoint),
        device_(device),
        options_(options),
        store_(std::make_unique<Store>()) {}

  absl::StatusOr<std::unique_ptr<WeightStore>> Load(const TensorTable& table,
                                                    const WeightShare& share);

 private:
  // Both names of a repeated tensor find the original.
  void AddRepeated(const TensorSpec& copy);
  // Scales first: laying a matrix out takes its scales.
  absl::Status ReadAll(absl::Span<const PlannedRead> reads);
  absl::Status Take(const PlannedRead& read, absl::Span<const std::byte> data);
  Held Hold(const TensorSpec& spec, const StoredTensor& stored, absl::Span<const std::byte> data);
  Held HoldAbsorbed(const TensorSpec& spec, Tensor host);
  size_t DeviceBytes(const TensorSpec& spec, DType stored) const;
  std::byte* NextPiece(size_t bytes);
  std::string Digest() const;

  Checkpoint& checkpoint_;
  Device& device_;
  const WeightStore::Options& options_;
  std::unique_ptr<Store> store_;
  size_t used_ = 0;  // bytes of the store's memory
  int64_t bytes_total_ = 0;
  absl::flat_hash_map<std::string, std::vector<float>> host_scales_;
  absl::flat_hash_map<std::string, std::string> replicated_sha256_;
};

absl::StatusOr<std::unique_ptr<WeightStore>> Loader::Load(const TensorTable& table,
                                                          const WeightShare& share) {
  RETURN_IF_ERROR(CheckTable(checkpoint_, table));
  std::vector<PlannedRead> scales, others;
  std::vector<const TensorSpec*> repeated;
  size_t device_bytes = 0;
  for (const TensorSpec& spec : table) {
    if (!InShare(spec, share)) continue;
    const Checkpoint::Entry& entry = checkpoint_.entries().at(spec.name);
    if (!spec.copy_of.empty()) {
      ASSIGN_OR_RETURN(const bool same, SameData(checkpoint_, spec.name, spec.copy_of));
      if (same) {
        repeated.push_back(&spec);
        continue;
      }
    }
    (spec.use == TensorSpec::Use::kScale ? scales : others).push_back({&spec, &entry});
    device_bytes += DeviceBytes(spec, entry.tensor.dtype);
    bytes_total_ += static_cast<int64_t>(entry.tensor.bytes);
  }
  ASSIGN_OR_RETURN(store_->memory_, device_.Allocate(device_bytes));
  RETURN_IF_ERROR(ReadAll(scales));
  RETURN_IF_ERROR(ReadAll(others));
  for (const TensorSpec* copy : repeated) AddRepeated(*copy);
  CHECK_EQ(used_, device_bytes);
  store_->digest_ = Digest();
  const auto has_digest = [](const auto& e) { return !e.second.sha256.empty(); };
  store_->digest_covers_experts_ =
      std::all_of(checkpoint_.entries().begin(), checkpoint_.entries().end(), has_digest);
  return absl::StatusOr<std::unique_ptr<WeightStore>>(std::move(store_));
}

void Loader::AddRepeated(const TensorSpec& copy) {
  const Held original = store_->held_.at(copy.copy_of);
  CHECK(original.use == copy.use && copy.expert == TensorSpec::kEveryRank) << copy.name;
  store_->held_[copy.name] = original;
  const std::string sha256 = replicated_sha256_.at(copy.copy_of);
  replicated_sha256_[copy.name] = sha256;
}

absl::Status Loader::ReadAll(absl::Span<const PlannedRead> reads) {
  const std::vector<ReadRun> runs = CoalesceReads({reads.begin(), reads.end()});
  StagingBuffer staging(runs);
  for (const ReadRun& run : runs) {
    const std::vector<absl::Span<std::byte>> parts = staging.Parts(run);
    RETURN_IF_ERROR(checkpoint_.file(run.shard).ReadScattered(run.offset, parts));
    for (size_t i = 0; i < parts.size(); ++i) {
      store_->bytes_read_ += static_cast<int64_t>(parts[i].size());
      RETURN_IF_ERROR(Take(run.reads[i], parts[i]));
    }
    if (options_.progress && !options_.progress(store_->bytes_read_, bytes_total_)) {
      return absl::CancelledError(absl::StrCat("loading was given up after ", store_->bytes_read_,
                                               " of ", bytes_total_, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::Status Loader::Take(const PlannedRead& read, absl::Span<const std::byte> data) {
  const auto& [spec, entry] = read;
  const bool replicated = spec->expert == TensorSpec::kEveryRank;
  if (replicated || !entry->sha256.empty()) {
    const std::string sha256 =
        HexOf(Sha256Of({reinterpret_cast<const char*>(data.data()), data.size()}));
    if (!entry->sha256.empty() && sha256 != entry->sha256) {
      return absl::DataLossError(absl::StrCat(checkpoint_.file(entry->shard).path(), ": tensor ",
                                              spec->name, " has SHA-256 ", sha256, ", but ",
                                              kDigestsFile, " says ", entry->sha256));
    }
    if (replicated) replicated_sha256_[spec->name] = sha256;
  }
  store_->held_[spec->name] = Hold(*spec, entry->tensor, data);
  return absl::OkStatus();
}

Held Loader::Hold(const TensorSpec& spec, const StoredTensor& stored,
                  absl::Span<const std::byte> data) {
  const int64_t rows = spec.shape.size() == 2 ? spec.shape[0] : 1;
  const int64_t cols = spec.shape.back();
  // Only read, but a Tensor has no const form.
  const Tensor host = Tensor::Of(const_cast<std::byte*>(data.data()), stored.dtype, rows, cols);
  Held held{spec.use, {}, {}, {}, {}};
  switch (spec.use) {
    case TensorSpec::Use::kMatrix: {
      Tensor scale;
      if (stored.dtype == DType::kF8E4M3) scale = store_->held_.at(ScaleName(spec.name)).tensor;
      held.weight =
          device_.LayOut(host, scale, NextPiece(device_.WeightBytes(stored.dtype, rows, cols)));
      break;
    }
    case TensorSpec::Use::kAbsorbed:
      return HoldAbsorbed(spec, host);
    case TensorSpec::Use::kScale:
      host_scales_[spec.name].assign(host.At<float>(0), host.At<float>(0) + rows * cols);
      [[fallthrough]];
    case TensorSpec::Use::kTable: {
      held.tensor = Tensor::Of(NextPiece(data.size()), stored.dtype, rows, cols);
      device_.Upload(data, held.tensor.data);
      break;
    }
    case TensorSpec::Use::kVector: {
      const std::vector<float> values = ToFloats(host);
      const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(values.data()),
                                              values.size() * 4);
      held.tensor = Tensor::Of(NextPiece(bytes.size()), DType::kF32, rows, cols);
      device_.Upload(bytes, held.tensor.data);
      break;
    }
    case TensorSpec::Use::kUnused:
      CHECK(false) << "an unused tensor was read: " << spec.name;
  }
  return held;
}

Held Loader::HoldAbsorbed(const TensorSpec& spec, Tensor host) {
  absl::Span<const float> scales;
  if (host.dtype == DType::kF8E4M3) scales = host_scales_.at(ScaleName(spec.name));
  std::vector<BF16> values = ToBf16(host, scales);
  Held held{spec.use, {}, {}, {}, {}};
  const auto lay_out = [&](BF16* data, int64_t out, int64_t in) {
    const Tensor piece = Tensor::Of(data, DType::kBF16, out, in);
    return device_.LayOut(piece, Tensor{}, NextPiece(device_.WeightBytes(DType::kBF16, out, in)));
  };
  const auto& [heads, nope, v] = spec.split;
  for (int64_t h = 0; h < heads; ++h) {
    BF16* const head = values.data() + h * (nope + v) * host.cols;
    std::vector<BF16> uk = Transposed(head, nope, host.cols);
    held.uk.push_back(lay_out(uk.data(), host.cols, nope));
    held.uv.push_back(lay_out(head + nope * host.cols, v, host.cols));
  }
  return held;
}

size_t Loader::DeviceBytes(const TensorSpec& spec, DType stored) const {
  const auto elements = static_cast<size_t>(spec.elements());
  switch (spec.use) {
    case TensorSpec::Use::kMatrix:
      return Aligned(device_.WeightBytes(stored, spec.shape[0], spec.shape[1]));
    case TensorSpec::Use::kAbsorbed: {
      const auto& [heads, nope, v] = spec.split;
      const int64_t in = spec.shape[1];
      return static_cast<size_t>(heads) * (Aligned(device_.WeightBytes(DType::kBF16, in, nope)) +
                                           Aligned(device_.WeightBytes(DType::kBF16, v, in)));
    }
    case TensorSpec::Use::kScale:
    case TensorSpec::Use::kTable:
      return Aligned(elements * SizeOf(stored));
    case TensorSpec::Use::kVector:
      return Aligned(elements * sizeof(float));
    case TensorSpec::Use::kUnused:
      return 0;
  }
  return 0;
}

std::byte* Loader::NextPiece(size_t bytes) {
  std::byte* const piece = store_->memory_.data() + used_;
  used_ += Aligned(bytes);
  return piece;
}

std::string Loader::Digest() const {
  Sha256 sha;
  sha.Update("shoal weights 1\n");
  for (const auto& [name, entry] : checkpoint_.entries()) {  // by name
    const auto replicated = replicated_sha256_.find(name);
    const std::string& data =
        replicated != replicated_sha256_.end() ? replicated->second : entry.sha256;
    sha.Update(absl::StrCat(name, " ", std::string(DTypeName(entry.tensor.dtype)), " ",
                            ShapeText(entry.tensor.shape), " ", data, "\n"));
  }
  return HexOf(sha.Finish());
}

}  // namespace

bool InShare(const TensorSpec& spec, const WeightShare& share) {
  if (spec.use == TensorSpec::Use::kUnused) return false;
  if (spec.expert == TensorSpec::kEveryRank) return true;
  const std::vector<int32_t>& experts = share.experts.at(static_cast<size_t>(spec.moe_layer));
  return std::find(experts.begin(), experts.end(), spec.expert) != experts.end();
}

absl::StatusOr<std::unique_ptr<WeightStore>> WeightStore::Open(const std::string& folder,
                                                               const TensorTable& table,
                                                               const WeightShare& share,
                                                               Device& device,
                                                               const Options& options) {
  ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open(folder));
  return Loader(checkpoint, device, options).Load(table, share);
}

}  // namespace shoal
