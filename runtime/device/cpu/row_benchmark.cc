// Prints what the gate and the operations that look at one row at a time reach of what the machine
// can do: of its fma rate or of its memory's, whichever of the two asks for more time (measured in
// the same run). V3's widths. Before anything is timed, each result is compared bit for bit with
// the portable kernels'. The gate's weights are others in each run and come from memory; the rows
// do as they do in a pass, where the operation before has just written them: a few of them stay in
// a cache, and then the share of memory's rate exceeds 100%.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/cpu/ceilings.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

constexpr int64_t kHidden = 7168, kExperts = 256, kTopK = 8, kInner = 2048, kHeads = 128,
                  kRope = 64;
constexpr int kGates = 48;  // gate matrices taken in turn: 350 MB

// An operation on `rows` rows, ready to run; its result; what it moves and how many fma slots it
// fills at least (an operation of the vector units counts as one).
struct Case {
  std::string name;
  std::function<void()> run;
  std::function<std::vector<std::byte>()> result;
  double bytes = 0, slots = 0;
};

std::unique_ptr<Device> Make(Isa isa, int threads) {
  auto device = NewCpuDevice({.isa = isa, .threads = threads});
  CHECK_OK(device);
  return *std::move(device);
}

Case GateCase(Side& s, int64_t rows, int gates) {
  const GateConfig config{GateScore::kSigmoid, kExperts, kTopK, 8, 4, 2, true, 2.5f};
  std::vector<Tensor> w;
  const Values values = RandomValues(1, kExperts, kHidden, 0.02f);
  for (int i = 0; i < gates; ++i) w.push_back(s.PutF32(values));
  const Tensor x = s.PutAct(RandomValues(2, rows, kHidden)),
               bias = s.PutF32(RandomValues(3, 1, kExperts));
  auto out = std::make_shared<Routing>();
  auto turn = std::make_shared<size_t>(0);
  return {"Gate", [=, &s] { s.ops().Gate(x, w[(*turn)++ % w.size()], bias, config, out.get()); },
          [out] {
            const auto* weight = reinterpret_cast<const std::byte*>(out->weight.data());
            const auto* expert = reinterpret_cast<const std::byte*>(out->expert.data());
            std::vector<std::byte> both(weight, weight + out->weight.size() * sizeof(float));
            both.insert(both.end(), expert, expert + out->expert.size() * sizeof(int32_t));
            return both;
          },
          static_cast<double>(kExperts * kHidden * 4 + rows * kHidden * 2),
          static_cast<double>(rows * kExperts * kHidden)};
}

std::vector<Case> RowCases(Side& s, int64_t rows) {
  std::vector<Case> cases;
  auto add = [&](std::string name, Tensor out, double bytes, double slots,
                 std::function<void()> run) {
    cases.push_back({std::move(name), std::move(run), [&s, out] { return s.Bytes(out); },
                     bytes * static_cast<double>(rows), slots * static_cast<double>(rows)});
  };
  const Tensor x = s.PutF32(RandomValues(4, rows, kHidden));
  // What is added to the same rows again and again is small.
  const Tensor delta = s.PutF32(RandomValues(5, rows, kHidden, 1e-3f)),
               gain = s.PutF32(RandomValues(6, 1, kHidden));
  const Tensor wide = s.OutAct(rows, kHidden);
  add("RmsNorm", wide, kHidden * 6, kHidden * 3,
      [=, &s] { s.ops().RmsNorm(x, gain, 1e-6f, wide); });
  add("AddRmsNorm", wide, kHidden * 14, kHidden * 4,
      [=, &s] { s.ops().AddRmsNorm(x, delta, gain, 1e-6f, wide); });
  const Tensor gate = s.PutF32(RandomValues(7, rows, kInner)),
               up = s.PutF32(RandomValues(8, rows, kInner));
  const Tensor inner = s.OutAct(rows, kInner);
  add("SwiGlu", inner, kInner * 10, kInner * 24, [=, &s] { s.ops().SwiGlu(gate, up, inner); });

  RopeTable table{s.PutF32(RandomValues(9, rows, kRope / 2)),
                  s.PutF32(RandomValues(10, rows, kRope / 2))};
  std::vector<RowPlace> places;
  for (int32_t t = 0; t < rows; ++t) places.push_back({t, 0});
  const Tensor q = s.PutF32(RandomValues(11, rows, kHeads * kRope)).Heads(kHeads);
  const Tensor turned = s.OutAct(rows, kHeads * kRope);
  add("Rope", turned, kHeads * kRope * 6, kHeads * kRope * 3,
      [=, &s] { s.ops().Rope(q, table, places, turned.Heads(kHeads)); });

  Routing routing{kTopK, {}, {}};
  for (int64_t i = 0; i < rows * kTopK; ++i) {
    routing.expert.push_back(static_cast<int32_t>(i % kTopK));
    routing.weight.push_back(1e-3f);
  }
  const Tensor home = s.PutAct(RandomValues(12, rows * kTopK, kHidden)),
               sum = s.PutF32(RandomValues(13, rows, kHidden));
  add("CombineExperts", sum, kHidden * (8 + 2 * kTopK), kHidden * kTopK,
      [=, &s] { s.ops().CombineExperts(home, routing, sum); });

  const Tensor words = s.PutAct(RandomValues(14, 1000, kHidden)),
               embedded = s.OutF32(rows, kHidden);
  std::vector<TokenId> ids;
  for (int64_t t = 0; t < rows; ++t) ids.push_back(static_cast<TokenId>(t * 37 % 1000));
  add("Embed", embedded, kHidden * 6, 0, [=, &s] { s.ops().Embed(ids, words, embedded); });
  return cases;
}

// All cases of `rows` rows on one device.
std::vector<Case> Cases(Side& s, int64_t rows, int gates) {
  std::vector<Case> cases = RowCases(s, rows);
  cases.insert(cases.begin(), GateCase(s, rows, gates));
  return cases;
}

void Run(Isa isa, int threads) {
  const cpu::Ceilings ceilings = cpu::MeasureCeilings(threads);
  std::printf(
      "cpu/%s, %d thread(s); bits equal to cpu/portable; ceilings: memory %.1f GB/s, fma %.0f "
      "GFLOP/s\n\n| operation | rows | time | GB/s | share of the ceiling "
      "|\n|---|---|---|---|---|\n",
      std::string(IsaName(isa)).c_str(), threads, ceilings.dram_read_bytes_per_s / 1e9,
      ceilings.fma_flops_per_s / 1e9);
  for (int64_t rows : {1, 16, 64, 512}) {
    const std::unique_ptr<Device> device = Make(isa, threads), portable = Make(Isa::kPortable, 1);
    Side s(*device), base(*portable);
    const std::vector<Case> cases = Cases(s, rows, kGates), expected = Cases(base, rows, 1);
    for (size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      c.run(), expected[i].run();
      CHECK(c.result() == expected[i].result()) << c.name << " differs from cpu/portable";
      const double time = cpu::MedianSeconds(threads, {&c.run, 1}).front();
      const double memory = c.bytes / ceilings.dram_read_bytes_per_s;
      const double fma = ceilings.fma_flops_per_s > 0 ? 2 * c.slots / ceilings.fma_flops_per_s : 0;
      std::printf("| %s | %d | %.1f us | %.1f | %.0f%% of %s |\n", c.name.c_str(),
                  static_cast<int>(rows), time * 1e6, c.bytes / time / 1e9,
                  100 * std::max(memory, fma) / time, memory > fma ? "memory" : "fma");
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace shoal

// row_benchmark [amx|avx512|avx2|portable [THREADS]]
int main(int argc, char** argv) {
  const std::string wanted =
      argc > 1 ? argv[1] : std::string(shoal::IsaName(shoal::SupportedIsas().front()));
  for (shoal::Isa isa : shoal::SupportedIsas()) {
    if (shoal::IsaName(isa) != wanted) continue;
    shoal::Run(isa, argc > 2 ? std::max(1, std::atoi(argv[2])) : 1);
    return EXIT_SUCCESS;
  }
  std::fprintf(stderr, "row_benchmark: this machine has no instruction set %s\n", wanted.c_str());
  return EXIT_FAILURE;
}
