#include "runtime/engine/testing/fake_model.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "absl/algorithm/container.h"

#include "runtime/base/check.h"
#include "runtime/sampling/sampler.h"

namespace shoal {
namespace {

class HostMemory final : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    auto* p = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}));
    std::memset(p, 0, bytes);
    return p;
  }
  void FreeChunk(std::byte* p, size_t) override { ::operator delete (p, std::align_val_t{64}); }
};

class FakeOps final : public Ops {
 public:
  explicit FakeOps(std::atomic<bool>* fail_next_finish) : fail_(fail_next_finish) {}

  DType activation_dtype() const override { return DType::kF32; }
  absl::Status Finish() override {
    if (fail_ != nullptr && fail_->exchange(false)) return absl::InternalError("device fault");
    return absl::OkStatus();
  }

  void Embed(absl::Span<const TokenId>, Tensor, Tensor) override { Unused(); }
  void RmsNorm(Tensor, Tensor, float, Tensor) override { Unused(); }
  void AddRmsNorm(Tensor, Tensor, Tensor, float, Tensor) override { Unused(); }
  void MatMul(Tensor, const Weight&, Tensor) override { Unused(); }
  void HeadMatMul(Tensor, absl::Span<const Weight>, Tensor) override { Unused(); }
  void GroupedMatMul(Tensor, absl::Span<const int32_t>, absl::Span<const Weight>, Tensor) override {
    Unused();
  }
  void SwiGlu(Tensor, Tensor, Tensor) override { Unused(); }
  void Rope(Tensor, const RopeTable&, absl::Span<const RowPlace>, Tensor) override { Unused(); }
  void AppendKv(const KvLayer&, Tensor, Tensor, absl::Span<const RowPlace>) override { Unused(); }
  void MlaAttend(Tensor, Tensor, const KvLayer&, absl::Span<const RowPlace>, float,
                 Tensor) override {
    Unused();
  }
  void Gate(Tensor, Tensor, Tensor, const GateConfig&, Routing*) override { Unused(); }
  void CombineExperts(Tensor, const Routing&, Tensor) override { Unused(); }
  void Cast(Tensor, Tensor) override { Unused(); }
  void GatherRows(Tensor, absl::Span<const int32_t>, Tensor) override { Unused(); }
  void Add(Tensor, Tensor) override { Unused(); }

 private:
  static void Unused() { CHECK(false) << "the fake model uses no operation"; }
  std::atomic<bool>* const fail_;
};

class FakeDevice final : public Device {
 public:
  explicit FakeDevice(std::atomic<bool>* fail_next_finish) : ops_(fail_next_finish) {}
  std::string name() const override { return "fake"; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override {
    return Buffer(memory_, memory_.AllocateChunk(bytes), bytes);
  }
  Arena::Source& arena_source() override { return memory_; }
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
  HostMemory memory_;
  FakeOps ops_;
};

class FakeExchange final : public ExpertExchange {
 public:
  explicit FakeExchange(Communicator& comm) : comm_(comm) {}

  Dispatched BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                           const Routing&) override {
    Dispatched d;
    d.channel = channel;
    d.layer = layer;
    Send(channel, arena, static_cast<int32_t>(x.rows));
    return d;
  }
  void EndDispatch(Arena& arena, Dispatched& d) override {
    std::vector<Bytes> from;
    comm_.EndAllToAll(d.channel, arena, &from);
    int32_t rows = 0;
    for (Bytes message : from) {
      int32_t n = 0;
      if (!message.empty()) std::memcpy(&n, message.data(), sizeof(n));
      rows += n;
    }
    d.slot_rows = {rows};
  }
  void BeginCombine(Arena& arena, Dispatched& d, Tensor) override { Send(d.channel, arena, -1); }
  Tensor EndCombine(Arena& arena, Dispatched& d, const Routing&) override {
    std::vector<Bytes> from;
    comm_.EndAllToAll(d.channel, arena, &from);
    return {};
  }

 private:
  void Send(int channel, Arena& arena, int32_t value) {
    std::byte* message = arena.NewBytes(sizeof(value));
    std::memcpy(message, &value, sizeof(value));
    comm_.BeginAllToAll(channel,
                        std::vector<ConstBytes>(comm_.size(), ConstBytes(message, sizeof(value))));
  }

  Communicator& comm_;
};

uint64_t Mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15;
  return h ^ (h >> 29);
}

// What layer `layer` keeps of a token; exact in float32.
float LineOf(TokenId id, int64_t position, int layer) {
  if (id == FakeModel::kPoison) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(Mix(Mix(Mix(1, id), position), layer) % 65521);
}

uint64_t MixLine(uint64_t h, float line) {
  return Mix(h, std::isnan(line) ? 0 : static_cast<uint64_t>(line));
}

// The model never says kPoison itself.
float LogitOf(uint64_t h, int v) {
  if (v == FakeModel::kPoison) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(Mix(h, v) % 4096) / 256;
}

// A row's logits from all lines before it.
void FillLogits(const Pass& pass, RowPlace place, absl::Span<const int32_t> table, float* out) {
  uint64_t h = 7;
  bool poisoned = false;
  for (int layer = 0; layer < FakeModel::kLayers; ++layer) {
    for (int64_t p = 0; p <= place.position; ++p) {
      const float* line = pass.kv_lines.At<float>(layer * pass.kv_lines_per_layer +
                                                  table[p / kKvBlock] * kKvBlock + p % kKvBlock);
      // Another sequence's line, or one never written, spoils the result.
      h = MixLine(h, line[0] + (line[1] == static_cast<float>(p) ? 0 : 1));
      poisoned |= std::isnan(line[0]);
    }
  }
  for (int v = 0; v < FakeModel::kVocab; ++v) {
    out[v] = poisoned ? std::numeric_limits<float>::quiet_NaN() : LogitOf(h, v);
  }
}

void TakePartInExchange(Pass& pass, const Batch& batch, int layer) {
  using Phase = PassObserver::Phase;
  if (pass.exchange == nullptr) return;
  const Tensor x = pass.arena.New(DType::kF32, batch.rows(), 1);
  const Routing routing;
  pass.observer->OnPhase(Phase::kDispatch);
  Dispatched d = pass.exchange->BeginDispatch(0, layer, pass.arena, x, routing);
  pass.exchange->EndDispatch(pass.arena, d);
  pass.observer->OnPhase(Phase::kExperts);
  pass.observer->OnExperts(layer, d.slot_rows);
  pass.observer->OnPhase(Phase::kCombine);
  pass.exchange->BeginCombine(pass.arena, d, d.x);
  pass.exchange->EndCombine(pass.arena, d, routing);
}

}  // namespace

Tensor FakeModel::Forward(Pass& pass, const Batch& batch) const {
  if (on_forward) on_forward();
  for (int layer = 0; layer < kLayers; ++layer) {
    pass.observer->OnPhase(PassObserver::Phase::kAttend);
    for (int64_t t = 0; t < batch.rows(); ++t) {
      const RowPlace place = batch.places[t];
      const int32_t block = batch.block_tables.at(place.table).at(place.position / kKvBlock);
      float* line = pass.kv_lines.At<float>(layer * pass.kv_lines_per_layer + block * kKvBlock +
                                            place.position % kKvBlock);
      line[0] = LineOf(batch.ids[t], place.position, layer);
      line[1] = static_cast<float>(place.position);
    }
    TakePartInExchange(pass, batch, layer);
  }
  pass.observer->OnPhase(PassObserver::Phase::kHead);
  const auto wanted = static_cast<int64_t>(batch.logit_rows.size());
  Tensor logits = pass.arena.New(DType::kF32, wanted, kVocab);
  for (int64_t i = 0; i < wanted; ++i) {
    const RowPlace place = batch.places.at(batch.logit_rows[i]);
    FillLogits(pass, place, batch.block_tables.at(place.table), logits.At<float>(i));
  }
  return logits;
}

std::vector<TokenId> ReferenceTokens(const Request& request) {
  std::vector<TokenId> tokens = request.prompt;
  tokens.insert(tokens.end(), request.emitted.begin(), request.emitted.end());
  const size_t begin = tokens.size();
  SamplerScratch scratch;
  while (tokens.size() < request.prompt.size() + request.max_output_tokens) {
    uint64_t h = 7;
    for (int layer = 0; layer < FakeModel::kLayers; ++layer) {
      for (size_t p = 0; p < tokens.size(); ++p) h = MixLine(h, LineOf(tokens[p], p, layer));
    }
    std::vector<float> logits;
    for (int v = 0; v < FakeModel::kVocab; ++v) logits.push_back(LogitOf(h, v));
    const TokenId next =
        Sample({.logits = logits,
                .options = request.sampling,
                .prompt = request.prompt,
                .output = absl::MakeConstSpan(tokens).subspan(request.prompt.size()),
                .choice = request.choice,
                .stop_tokens = request.stop_tokens},
               scratch)
            ->id;
    tokens.push_back(next);
    if (absl::c_linear_search(request.stop_tokens, next)) break;
  }
  return {tokens.begin() + begin, tokens.end()};
}

std::unique_ptr<Device> MakeFakeDevice(std::atomic<bool>* fail_next_finish) {
  return std::make_unique<FakeDevice>(fail_next_finish);
}

std::unique_ptr<ExpertExchange> MakeFakeExchange(Communicator& comm) {
  return std::make_unique<FakeExchange>(comm);
}

}  // namespace shoal
