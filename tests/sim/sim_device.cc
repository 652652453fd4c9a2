#include "tests/sim/sim_device.h"

#include <cstring>
#include <map>
#include <new>
#include <utility>

namespace shoal {

namespace {

class Memory final : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    auto& spare = spare_[bytes];
    if (spare.empty()) {
      return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}));
    }
    std::byte* const chunk = spare.back();
    spare.pop_back();
    return chunk;
  }
  void FreeChunk(std::byte* p, size_t bytes) override { spare_[bytes].push_back(p); }

 private:
  std::map<size_t, std::vector<std::byte*>> spare_;
};

Memory& SharedMemory() {
  static auto* const memory = new Memory;  // outlives every device
  return *memory;
}

class SimOps final : public Ops {
 public:
  SimOps(Ops& inner, QueuedWrites& queue) : inner_(inner), queue_(queue) {}
  DType activation_dtype() const override { return inner_.activation_dtype(); }
  absl::Status Finish() override {
    if (queue_.finish_returns_early) {
      queue_.late.insert(queue_.late.end(), queue_.lines.begin(), queue_.lines.end());
    } else {
      for (const QueuedWrites::Line& line : queue_.lines) line.Write();
    }
    queue_.lines.clear();
    return inner_.Finish();
  }
  void Embed(absl::Span<const TokenId> a, Tensor b, Tensor c) override { inner_.Embed(a, b, c); }
  void RmsNorm(Tensor a, Tensor b, float c, Tensor d) override { inner_.RmsNorm(a, b, c, d); }
  void AddRmsNorm(Tensor a, Tensor b, Tensor c, float d, Tensor e) override {
    inner_.AddRmsNorm(a, b, c, d, e);
  }
  void MatMul(Tensor a, const Weight& b, Tensor c) override { inner_.MatMul(a, b, c); }
  void HeadMatMul(Tensor a, absl::Span<const Weight> b, Tensor c) override {
    inner_.HeadMatMul(a, b, c);
  }
  void GroupedMatMul(Tensor a, absl::Span<const int32_t> b, absl::Span<const Weight> c,
                     Tensor d) override {
    inner_.GroupedMatMul(a, b, c, d);
  }
  void SwiGlu(Tensor a, Tensor b, Tensor c) override { inner_.SwiGlu(a, b, c); }
  void Rope(Tensor a, const RopeTable& b, absl::Span<const RowPlace> c, Tensor d) override {
    inner_.Rope(a, b, c, d);
  }
  void AppendKv(const KvLayer& a, Tensor b, Tensor c, absl::Span<const RowPlace> d) override {
    inner_.AppendKv(a, b, c, d);
  }
  void MlaAttend(Tensor a, Tensor b, const KvLayer& c, absl::Span<const RowPlace> d, float e,
                 Tensor f) override {
    inner_.MlaAttend(a, b, c, d, e, f);
  }
  void Gate(Tensor a, Tensor b, Tensor c, const GateConfig& d, Routing* e) override {
    inner_.Gate(a, b, c, d, e);
  }
  void CombineExperts(Tensor a, const Routing& b, Tensor c) override {
    inner_.CombineExperts(a, b, c);
  }
  void Cast(Tensor a, Tensor b) override { inner_.Cast(a, b); }
  void GatherRows(Tensor a, absl::Span<const int32_t> b, Tensor c) override {
    inner_.GatherRows(a, b, c);
  }
  void Add(Tensor a, Tensor b) override { inner_.Add(a, b); }

 private:
  Ops& inner_;
  QueuedWrites& queue_;
};

class SimDevice final : public Device {
 public:
  explicit SimDevice(QueuedWrites& queue, std::atomic<bool>* fail)
      : fake_(MakeFakeDevice(fail)), ops_(fake_->ops(), queue) {}
  std::string name() const override { return "simulated"; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override {
    return Buffer(SharedMemory(), SharedMemory().AllocateChunk(bytes), bytes);
  }
  Arena::Source& arena_source() override { return SharedMemory(); }
  void Upload(absl::Span<const std::byte> host, std::byte* device) override {
    std::memcpy(device, host.data(), host.size());
  }
  void Download(const std::byte* device, absl::Span<std::byte> host) override {
    std::memcpy(host.data(), device, host.size());
  }
  size_t WeightBytes(DType, int64_t, int64_t) const override { return 0; }
  Weight LayOut(Tensor, Tensor, std::byte*) override { return {}; }
  Ops& ops() override { return ops_; }

 private:
  const std::unique_ptr<Device> fake_;
  SimOps ops_;
};

}  // namespace

std::unique_ptr<Device> MakeSimDevice(QueuedWrites& queue, std::atomic<bool>* fail_next_finish) {
  return std::make_unique<SimDevice>(queue, fail_next_finish);
}

Tensor SimModel::Forward(Pass& pass, const Batch& batch) const {
  if (on_forward) on_forward();
  Tensor logits = inner_.Forward(pass, batch);
  // Between the writes of this pass and the first look at them by the next one.
  for (const QueuedWrites::Line& line : std::exchange(queue_.late, {})) line.Write();
  for (int layer = 0; layer < layers(); ++layer) {
    for (const RowPlace& place : batch.places) {
      const int32_t block = batch.block_tables.at(place.table).at(place.position / kKvBlock);
      float* const at = pass.kv_lines.At<float>(layer * pass.kv_lines_per_layer + block * kKvBlock +
                                                place.position % kKvBlock);
      queue_.lines.push_back({at, {at[0], at[1]}});
    }
  }
  return logits;
}

}  // namespace shoal
