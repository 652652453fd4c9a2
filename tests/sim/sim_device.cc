#include "tests/sim/sim_device.h"

#include <cstring>
#include <map>
#include <new>
#include <utility>

#include "tests/parity/forwarding_ops.h"

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

class SimOps final : public ForwardingOps {
 public:
  SimOps(Ops& inner, QueuedWrites& queue) : ForwardingOps(inner), queue_(queue) {}
  absl::Status Finish() override {
    if (queue_.finish_returns_early) {
      queue_.late.insert(queue_.late.end(), queue_.lines.begin(), queue_.lines.end());
    } else {
      for (const QueuedWrites::Line& line : queue_.lines) line.Write();
    }
    queue_.lines.clear();
    return ForwardingOps::Finish();
  }

 private:
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
