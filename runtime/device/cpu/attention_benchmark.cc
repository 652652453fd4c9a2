// Prints what MlaAttend reaches of what the machine can do: of its tile unit's rate or of its
// memory's, whichever of the two asks for more time (measured in the same run). The cache lines of
// each run are others, so that they come from memory, as they do in a pass over all layers. Before
// anything is timed, rows of each case are compared bit for bit with another instruction set's.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"

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

struct Form {
  const char* name;
  int64_t heads, rank, rope;
};
constexpr Form kForms[] = {{"V3, 128 heads", 128, 512, 64},
                           {"V2-Lite, 16 heads", 16, 512, 64},
                           {"nano, 4 heads", 4, 128, 16}};

constexpr int64_t kPoolBytes = int64_t{1300} << 20;  // of cache: more than the last-level cache
constexpr float kScale = 0.05f;

std::unique_ptr<Device> Make(Isa isa, int threads) {
  auto device = NewCpuDevice({.isa = isa, .threads = threads});
  CHECK_OK(device);
  return *std::move(device);
}

// One kind of model with a cache full of lines, of which each run takes the next.
class Bench {
 public:
  Bench(const Form& form, Isa isa, int threads, const cpu::Ceilings& ceilings)
      : form_(form),
        isa_(isa),
        threads_(threads),
        ceilings_(ceilings),
        device_(Make(isa, threads)),
        side_(*device_) {
    const int64_t width = form.rank + form.rope, block = kKvBlock * width * 2;
    blocks_ = kPoolBytes / block;
    auto buffer = device_->Allocate(static_cast<size_t>(blocks_ * block));
    CHECK_OK(buffer);
    cache_ = *std::move(buffer);
    const Values values = RandomValues(1, 512, width);
    const std::vector<std::byte> bytes = side_.Bytes(side_.PutAct(values));
    for (size_t at = 0; at < cache_.bytes(); at += bytes.size())
      std::memcpy(cache_.data() + at, bytes.data(), std::min(bytes.size(), cache_.bytes() - at));
    lines_ = Tensor::Of(cache_.data(), DType::kBF16, blocks_ * kKvBlock, width);
  }

  // `sequences` of `positions`, the last `rows` of each.
  void Run(int64_t sequences, int64_t rows, int64_t positions) {
    const int64_t per_sequence = positions / kKvBlock, per_run = sequences * per_sequence;
    CHECK_LE(per_run, blocks_);
    std::vector<RowPlace> places;
    for (int64_t s = 0; s < sequences; ++s) {
      for (int64_t t = 0; t < rows; ++t)
        places.push_back({static_cast<int32_t>(positions - rows + t), static_cast<int32_t>(s)});
    }
    const auto count = static_cast<int64_t>(places.size());
    const Values q = RandomValues(2, count, form_.heads * (form_.rank + form_.rope));
    const Tensor queries = side_.PutAct(q).Heads(form_.heads);
    const Tensor out = side_.OutAct(count, form_.heads * form_.rank).Heads(form_.heads);
    // A table for the blocks from `first` on.
    std::vector<int32_t> ids(static_cast<size_t>(per_run));
    std::vector<absl::Span<const int32_t>> tables;
    for (int64_t s = 0; s < sequences; ++s)
      tables.emplace_back(&ids[static_cast<size_t>(s * per_sequence)], per_sequence);
    int64_t first = 0;
    auto attend = [&] {
      if (first + per_run > blocks_) first = 0;
      for (int32_t& id : ids) id = static_cast<int32_t>(first++);
      const auto [latent, rope] = queries.Split(form_.rank);
      side_.ops().MlaAttend(latent, rope, {lines_, tables}, places, kScale, out);
    };
    attend();
    const std::string against = Check(queries, places, tables, out);
    const std::function<void()> run = attend;
    const double s = cpu::MedianSeconds(threads_, {&run, 1}).front();
    double pairs = 0;
    for (const RowPlace& place : places) pairs += place.position + 1;
    std::printf("| %s | %d x %d | %6d | %10.1f us |", form_.name, static_cast<int>(sequences),
                static_cast<int>(rows), static_cast<int>(positions), s * 1e6);
    PrintShare(s, static_cast<double>(per_run * kKvBlock * lines_.cols * 2),
               2 * pairs * static_cast<double>(form_.heads * (2 * form_.rank + form_.rope)));
    std::printf(" %s |\n", against.c_str());
    std::fflush(stdout);
  }

 private:
  // The first, a middle and the last row alone, on the portable kernels where they take a second or
  // less, else on AVX-512.
  std::string Check(const Tensor& queries, absl::Span<const RowPlace> places,
                    absl::Span<const absl::Span<const int32_t>> tables, const Tensor& out) {
    const double work = static_cast<double>(places.back().position) *
                        static_cast<double>(form_.heads * lines_.cols);
    const std::vector<Isa>& isas = SupportedIsas();
    const bool wide = std::find(isas.begin(), isas.end(), Isa::kAvx512) != isas.end();
    const Isa other = work > 3e8 && wide && isa_ != Isa::kAvx512 ? Isa::kAvx512 : Isa::kPortable;
    const std::unique_ptr<Device> device = Make(other, 1);
    Side side(*device);
    const auto [latent, rope] = queries.Split(form_.rank);
    const auto last = static_cast<int64_t>(places.size()) - 1;
    for (const int64_t row : {int64_t{0}, last / 2, last}) {
      const Tensor alone = side.OutAct(1, out.width());
      side.ops().MlaAttend(latent.Rows(row, 1), rope.Rows(row, 1), {lines_, tables},
                           places.subspan(static_cast<size_t>(row), 1), kScale,
                           alone.Heads(form_.heads));
      CHECK(side_.Bytes(out.Rows(row, 1).Flat()) == side.Bytes(alone))
          << form_.name << ": row " << row << " differs from cpu/" << IsaName(other);
    }
    return std::string(IsaName(other));
  }

  void PrintShare(double s, double bytes, double flop) {
    const bool amx = isa_ == Isa::kAmx;
    const double memory_s = bytes / ceilings_.dram_read_bytes_per_s;
    const double product_rate = amx ? ceilings_.tile_flops_per_s : ceilings_.fma_flops_per_s;
    const double product_s = product_rate > 0 ? flop / product_rate : 0;
    std::printf(" %6.0f | %4.1f | %3.0f%% of %s |", flop / s / 1e9, bytes / s / 1e9,
                100 * std::max(memory_s, product_s) / s,
                memory_s > product_s ? "memory"
                : amx                ? "tiles"
                                     : "fma");
  }

  const Form form_;
  const Isa isa_;
  const int threads_;
  const cpu::Ceilings ceilings_;
  const std::unique_ptr<Device> device_;
  Side side_;
  Buffer cache_;
  Tensor lines_;
  int64_t blocks_ = 0;
};

void Run(Isa isa, int threads, const std::string& only) {
  const cpu::Ceilings ceilings = cpu::MeasureCeilings(threads);
  std::printf(
      "cpu/%s, %d thread(s); ceilings: memory %.1f GB/s, tile unit %.0f GFLOP/s, fma %.0f "
      "GFLOP/s\n\n"
      "| model | sequences x rows | positions | time | GFLOP/s | GB/s of cache | share of the "
      "ceiling | bits equal to cpu/ |\n|---|---|---|---|---|---|---|---|\n",
      std::string(IsaName(isa)).c_str(), threads, ceilings.dram_read_bytes_per_s / 1e9,
      ceilings.tile_flops_per_s / 1e9, ceilings.fma_flops_per_s / 1e9);
  for (const Form& form : kForms) {
    if (std::string(form.name).find(only) == std::string::npos) continue;
    Bench bench(form, isa, threads, ceilings);
    for (int64_t positions : {512, 1024, 4096, 16384}) {
      bench.Run(1, 1, positions);
      bench.Run(64, 1, positions);
      bench.Run(1, 64, positions);
    }
  }
}

}  // namespace
}  // namespace shoal

// attention_benchmark [amx|avx512|avx2|portable [THREADS [part of a model's name]]]
int main(int argc, char** argv) {
  const std::string wanted =
      argc > 1 ? argv[1] : std::string(shoal::IsaName(shoal::SupportedIsas().front()));
  for (shoal::Isa isa : shoal::SupportedIsas()) {
    if (shoal::IsaName(isa) != wanted) continue;
    shoal::Run(isa, argc > 2 ? std::max(1, std::atoi(argv[2])) : 1, argc > 3 ? argv[3] : "");
    return EXIT_SUCCESS;
  }
  std::fprintf(stderr, "attention_benchmark: this machine has no instruction set %s\n",
               wanted.c_str());
  return EXIT_FAILURE;
}
