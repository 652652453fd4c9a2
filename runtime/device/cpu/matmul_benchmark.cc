// Prints what MatMul and GroupedMatMul reach of what the machine can do: of its memory's rate, of
// its tile unit's, and of the least time that the two together allow; and what oneDNN and OpenBLAS
// take for the same products in the same run. Weights come from memory: copies of them, far more
// than a cache holds, are taken in turn. Before anything is timed, our result is compared bit for
// bit with that of another instruction set, and theirs with ours within a tolerance.

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/cpu/ceilings.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/peer_matmul.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

using cpu::PeerMatMul;

constexpr int64_t kWeightBytes = int64_t{640} << 20;  // of one weight's copies
constexpr float kScale = 0.125f;  // of FP8: a power of two, so that BF16 holds the same values
constexpr int64_t kRows[] = {1, 4, 16, 64, 512};

struct Shape {
  int64_t in, out;
};
// V3's widths, and V2-Lite's expert.
constexpr Shape kShapes[] = {{7168, 2048}, {2048, 7168}, {7168, 1536}, {2048, 1408}};
constexpr Shape kExpert = {7168, 2048};
constexpr int64_t kExperts = 16;

std::unique_ptr<Device> Make(Isa isa, int threads) {
  auto device = NewCpuDevice({.isa = isa, .threads = threads});
  CHECK_OK(device);
  return *std::move(device);
}
// Another instruction set to compare with: the next slower one.
Isa Other(Isa isa) {
  const auto& all = SupportedIsas();
  const auto at = std::find(all.begin(), all.end(), isa);
  return at + 1 < all.end() ? *(at + 1) : Isa::kPortable;
}

class Bench {
 public:
  Bench(Isa isa, int threads)
      : threads_(threads),
        ceilings_(cpu::MeasureCeilings(threads)),
        device_(Make(isa, threads)),
        side_(*device_),
        other_(Make(Other(isa), 2)) {
    std::printf(
        "cpu/%s, %d thread%s; memory %.1f GB/s, tiles %.0f GFLOP/s (of numbers, not zeros: %.0f), "
        "fma %.0f GFLOP/s; results equal those of cpu/%s bit for bit. Peers' columns: our time "
        "over "
        "theirs; OpenBLAS has its kernels for %s.\n",
        std::string(IsaName(isa)).c_str(), threads, threads == 1 ? "" : "s",
        ceilings_.dram_read_bytes_per_s / 1e9, ceilings_.tile_flops_per_s / 1e9,
        ceilings_.number_flops_per_s / 1e9, ceilings_.fma_flops_per_s / 1e9,
        std::string(IsaName(Other(isa))).c_str(), cpu::OpenBlasCore().c_str());
    std::printf(
        "| product | time | GB/s (of memory) | GFLOP/s (of tiles) | of the least time | ours / "
        "oneDNN BF16 | ours / oneDNN F32 | ours / OpenBLAS F32 "
        "|\n|---|---|---|---|---|---|---|---|\n");
  }

  void Dense(const Shape& shape) {
    Fill(shape);
    const int64_t size = shape.in * shape.out;
    const std::vector<Weight> bf16 =
        Weights(DType::kBF16, std::clamp<int64_t>(kWeightBytes / size / 2, 2, 64));
    const std::vector<Weight> fp8 =
        Weights(DType::kF8E4M3, std::clamp<int64_t>(kWeightBytes / size, 2, 128));
    for (const int64_t rows : kRows) {
      const Values x = Rounded(RandomValues(2, rows, shape.in), DType::kBF16);
      const Tensor act = side_.PutAct(x), out = side_.OutF32(rows, shape.out);
      const PeerMatMul::Problem problem{
          rows,      shape.in,
          shape.out, x.data,
          w_.data,   static_cast<size_t>(std::clamp<int64_t>(kWeightBytes / size / 4, 2, 32)),
          threads_};
      std::vector<std::unique_ptr<PeerMatMul>> peers;
      peers.push_back(cpu::NewOneDnn(problem, DType::kBF16));
      peers.push_back(cpu::NewOneDnn(problem, DType::kF32));
      peers.push_back(cpu::NewOpenBlas(problem));
      size_t turn = 0;
      std::vector<std::function<void()>> runs;
      for (const auto* weights : {&bf16, &fp8}) {
        runs.push_back(
            [&, weights] { side_.ops().MatMul(act, (*weights)[turn++ % weights->size()], out); });
        runs.back()();
        const std::vector<float> ours = side_.Get(out);
        const Tensor again = side_.OutF32(rows, shape.out);
        other_->ops().MatMul(act, weights->front(), again);
        CHECK(side_.Get(again) == ours) << "the bits differ at " << rows << " rows";
        for (const auto& peer : peers) {
          peer->Run(0);
          CHECK_LT(RelativeL2(peer->result(), ours), 1e-4);
        }
      }
      for (const auto& peer : peers)
        runs.push_back([&, p = peer.get()] { p->Run(turn++ % problem.copies); });
      const std::vector<double> s = cpu::MedianSeconds(threads_, runs);
      const auto flop = 2 * static_cast<double>(rows * size), bytes = static_cast<double>(size);
      const std::string what = std::to_string(rows) + " x " + std::to_string(shape.in) + " x " +
                               std::to_string(shape.out);
      Print("BF16 " + what, s[0], 2 * bytes, flop, {s[2], s[3], s[4]});
      Print("FP8 " + what, s[1], bytes, flop, {s[2], s[3], s[4]});
    }
  }

  // A step's rows over 16 experts, most to the first: expert i has about 1 / (i + 1) of them.
  void Grouped() {
    Fill(kExpert);
    const int64_t size = kExpert.in * kExpert.out;
    for (const DType dtype : {DType::kBF16, DType::kF8E4M3}) {
      const std::vector<Weight> weights =
          Weights(dtype, (dtype == DType::kBF16 ? 3 : 5) * kExperts);
      for (const int64_t total : kRows) {
        std::vector<int32_t> rows(kExperts);
        double harmonic = 0;
        for (int64_t i = 0; i < kExperts; ++i) harmonic += 1.0 / static_cast<double>(i + 1);
        int64_t left = total;
        for (int64_t i = kExperts; i-- > 1;) {
          const auto share = static_cast<int64_t>(
              static_cast<double>(total) / harmonic / static_cast<double>(i + 1) + 0.5);
          rows[static_cast<size_t>(i)] = static_cast<int32_t>(std::min(left, share));
          left -= rows[static_cast<size_t>(i)];
        }
        rows[0] = static_cast<int32_t>(left);
        const auto used = std::count_if(rows.begin(), rows.end(), [](int32_t n) { return n > 0; });
        const Tensor act = side_.PutAct(RandomValues(2, total, kExpert.in));
        const Tensor out = side_.OutF32(total, kExpert.out),
                     again = side_.OutF32(total, kExpert.out);
        // The experts in use move on from run to run, so that none is in a cache.
        size_t turn = 0;
        const std::function<void()> run = [&] {
          const size_t from = turn++ * static_cast<size_t>(used) % (weights.size() - kExperts);
          side_.ops().GroupedMatMul(act, rows, absl::MakeSpan(weights).subspan(from, kExperts),
                                    out);
        };
        run();
        other_->ops().GroupedMatMul(act, rows, absl::MakeSpan(weights).first(kExperts), again);
        CHECK(side_.Bytes(again) == side_.Bytes(out)) << "the bits differ at " << total << " rows";
        const double s = cpu::MedianSeconds(threads_, {&run, 1}).front();
        Print(std::string(dtype == DType::kBF16 ? "BF16 " : "FP8 ") + std::to_string(total) +
                  " rows in " + std::to_string(used) + " experts of " + std::to_string(kExpert.in) +
                  " x " + std::to_string(kExpert.out),
              s, static_cast<double>(used * size) * static_cast<double>(SizeOf(dtype)),
              2 * static_cast<double>(total * size), {});
      }
    }
  }

 private:
  // w_: values that FP8 and BF16 hold alike, after kScale.
  void Fill(const Shape& shape) {
    buffers_.clear();
    const Values some = Rounded(RandomValues(1, 509, 127), DType::kF8E4M3);
    codes_ =
        w_ = {shape.out, shape.in, std::vector<float>(static_cast<size_t>(shape.out * shape.in))};
    for (size_t i = 0; i < w_.data.size(); ++i) {
      codes_.data[i] = some.data[i % some.data.size()];
      w_.data[i] = codes_.data[i] * kScale;
    }
  }

  // The weight in so many places in memory.
  std::vector<Weight> Weights(DType dtype, int64_t copies) {
    const int64_t rows = (w_.rows + 127) / 128, cols = (w_.cols + 127) / 128;
    const Values scale{rows, cols, std::vector<float>(static_cast<size_t>(rows * cols), kScale)};
    const Weight first = side_.PutWeight(dtype == DType::kF8E4M3 ? codes_ : w_, dtype, scale);
    const size_t bytes = device_->WeightBytes(dtype, w_.rows, w_.cols);
    auto buffer = device_->Allocate(bytes * static_cast<size_t>(copies));
    CHECK_OK(buffer);
    std::vector<Weight> weights(static_cast<size_t>(copies), first);
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i].data.data = buffer->data() + i * bytes;
      std::memcpy(weights[i].data.data, first.data.data, bytes);
    }
    buffers_.push_back(*std::move(buffer));
    return weights;
  }

  void Print(const std::string& what, double s, double bytes, double flop,
             const std::vector<double>& peers) {
    const double memory = bytes / ceilings_.dram_read_bytes_per_s;
    const double tiles = ceilings_.tile_flops_per_s > 0 ? flop / ceilings_.tile_flops_per_s : 0;
    std::printf("| %s | %.0f us | %.1f (%.0f%%) | %.0f (%.0f%%) | %.0f%% |", what.c_str(), s * 1e6,
                bytes / s / 1e9, 100 * memory / s, flop / s / 1e9, 100 * tiles / s,
                100 * std::max(memory, tiles) / s);
    for (size_t i = 0; i < 3; ++i) {
      if (i < peers.size())
        std::printf(" %.2f |", s / peers[i]);
      else
        std::printf(" |");
    }
    std::printf("\n");
    std::fflush(stdout);
  }

  const int threads_;
  const cpu::Ceilings ceilings_;
  const std::unique_ptr<Device> device_;
  Side side_;
  const std::unique_ptr<Device> other_;
  Values codes_, w_;
  std::vector<Buffer> buffers_;
};

// OpenBLAS takes the oldest kernels on a CPU that it does not know, and looks at the environment
// when it is loaded, before main: starts this program again, once, with its kernels of AVX-512.
void GiveOpenBlasItsBest(char** argv) {
  static char again[] = "matmul_benchmark, again";
  const auto& isas = SupportedIsas();
  if (std::find(isas.begin(), isas.end(), Isa::kAvx512) == isas.end() ||
      cpu::OpenBlasCore() != "Prescott" || std::string(argv[0]) == again)
    return;
  CHECK_EQ(setenv("OPENBLAS_CORETYPE", "SkylakeX", 1), 0);
  argv[0] = again;
  execv("/proc/self/exe", argv);
  CHECK(false) << "this program cannot be started again";
}

int Main(absl::Span<char* const> args) {
  int threads = 1, only = -1;
  const std::string wanted =
      args.size() > 2 ? args[2] : std::string(IsaName(SupportedIsas().front()));
  constexpr int kCases = static_cast<int>(std::size(kShapes)) + 1;
  bool good = args.empty() || (absl::SimpleAtoi(args[0], &threads) && threads > 0);
  good &= args.size() < 2 || (absl::SimpleAtoi(args[1], &only) && only >= -1 && only < kCases);
  for (const Isa isa : SupportedIsas()) {
    if (!good || IsaName(isa) != wanted) continue;
    Bench bench(isa, threads);
    for (int i = 0; i < kCases; ++i) {
      if (only >= 0 && only != i) continue;
      i + 1 < kCases ? bench.Dense(kShapes[i]) : bench.Grouped();
    }
    return EXIT_SUCCESS;
  }
  std::fprintf(stderr,
               "usage: matmul_benchmark [threads] [case 0..%d, -1: all] [an instruction set of "
               "this machine]\n",
               kCases - 1);
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace shoal

// matmul_benchmark [threads] [case] [amx|avx512|avx2|portable]
int main(int argc, char** argv) {
  shoal::GiveOpenBlasItsBest(argv);
  return shoal::Main(absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)));
}
