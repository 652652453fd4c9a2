// Prints what MatMul and MlaAttend reach on this machine, next to what its memory and its tile unit
// can give, measured in the same run. Before anything is timed, each case's result is compared bit
// for bit with the portable kernels'.

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/tile_ceiling.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

double ThreadSeconds() {
  timespec t;
  CHECK_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds of the fastest of several runs, after one to warm up. This thread's processor time: on a
// machine that others use too, the clock on the wall would time them as well.
double Seconds(const std::function<void()>& run) {
  run();
  double begin = ThreadSeconds();
  run();
  const int batch = static_cast<int>(std::clamp(1e-4 / (ThreadSeconds() - begin), 1.0, 1000.0));
  double best = 1e9, total = 0;
  for (int i = 0; i < 5 || (total < 0.4 && i < 1000); ++i) {
    begin = ThreadSeconds();
    for (int j = 0; j < batch; ++j) run();
    const double s = ThreadSeconds() - begin;
    best = std::min(best, s / batch), total += s;
  }
  return best;
}

std::unique_ptr<Device> Make(Isa isa, int threads) {
  auto device = NewCpuDevice({.isa = isa, .threads = threads});
  CHECK_OK(device);
  return *std::move(device);
}

// GB/s of reading memory, one thread, by four streams: 64 MiB pieces of 1 GiB in turn, so that none
// is in a cache near the core.
double MemoryCeiling() {
  constexpr size_t kBytes = size_t{1} << 30, kPieces = 16,
                   kStream = kBytes / kPieces / 4 / sizeof(__m128i);
  const std::unique_ptr<Device> device = Make(Isa::kPortable, 1);
  absl::StatusOr<Buffer> buffer = device->Allocate(kBytes);
  CHECK_OK(buffer);
  std::fill_n(reinterpret_cast<uint64_t*>(buffer->data()), kBytes / 8, 1);
  const auto* all = reinterpret_cast<const __m128i*>(buffer->data());
  __m128i sum[4] = {};
  size_t turn = 0;
  const double s = Seconds([&] {
    const __m128i* p = all + turn++ % kPieces * 4 * kStream;
    for (size_t i = 0; i < kStream; i += 4) {
      for (size_t stream = 0; stream < 4; ++stream) {
        const __m128i* q = p + stream * kStream + i;
        const __m128i a = _mm_add_epi64(_mm_load_si128(q), _mm_load_si128(q + 1));
        const __m128i b = _mm_add_epi64(_mm_load_si128(q + 2), _mm_load_si128(q + 3));
        sum[stream] = _mm_add_epi64(sum[stream], _mm_add_epi64(a, b));
      }
    }
  });
  for (const __m128i& part : sum) CHECK_NE(_mm_cvtsi128_si64(part), 0);
  return kBytes / kPieces / s / 1e9;
}

struct Ceilings {
  double gb_per_s, gflop_per_s;
};

void Report(const std::string& what, double s, double bytes, double flop,
            const Ceilings& ceilings) {
  std::printf("%-34s %10.1f us %7.1f GB/s (%3.0f%% of memory) %8.1f GFLOP/s", what.c_str(), s * 1e6,
              bytes / s / 1e9, 100 * bytes / s / 1e9 / ceilings.gb_per_s, flop / s / 1e9);
  if (ceilings.gflop_per_s > 0)
    std::printf(" (%3.0f%% of tiles)", 100 * flop / s / 1e9 / ceilings.gflop_per_s);
  std::printf("\n");
  std::fflush(stdout);
}

void CheckSame(const std::string& what, Isa isa,
               const std::function<std::vector<std::byte>(Side&)>& script) {
  const std::unique_ptr<Device> fast = Make(isa, 1), portable = Make(Isa::kPortable, 1);
  Side a(*fast), b(*portable);
  CHECK(script(a) == script(b)) << what << " differs from the portable kernels";
}

// Weights of one layer's size, several copies in turn, so that they come from memory and not from a
// cache.
void BenchMatMul(Isa isa, DType dtype, int64_t out, int64_t in, const Ceilings& ceilings) {
  const int64_t total = int64_t{512} << 20;
  const auto copies =
      std::clamp<int64_t>(total / (out * in * static_cast<int64_t>(SizeOf(dtype))), 1, 8);
  const std::unique_ptr<Device> device = Make(isa, 1);
  Side s(*device);
  const Values values = RandomValues(1, 64, in);
  Values w{out, in, std::vector<float>(static_cast<size_t>(out * in))};
  for (size_t i = 0; i < w.data.size(); ++i) w.data[i] = values.data[i * 7 % values.data.size()];
  const Values scale{
      (out + 127) / 128, (in + 127) / 128,
      std::vector<float>(static_cast<size_t>((out + 127) / 128 * ((in + 127) / 128)), 0.01f)};
  std::vector<Weight> weights;
  for (int64_t i = 0; i < copies; ++i) weights.push_back(s.PutWeight(w, dtype, scale));
  for (int64_t rows : {1, 4, 16, 64, 512}) {
    const std::string what = std::string(DTypeName(dtype)) + " " + std::to_string(rows) + " x " +
                             std::to_string(in) + " x " + std::to_string(out);
    const Tensor x = s.PutAct(RandomValues(2, rows, in)), result = s.OutF32(rows, out);
    size_t turn = 0;
    const double seconds =
        Seconds([&] { s.ops().MatMul(x, weights[turn++ % weights.size()], result); });
    Report(what, seconds, static_cast<double>(out * in) * static_cast<double>(SizeOf(dtype)),
           2.0 * static_cast<double>(rows * out * in), ceilings);
  }
}

// The last `rows` rows of a sequence of `positions`.
struct AttendCase {
  int64_t heads, rank, rope, rows, positions;
};

void BenchAttend(Isa isa, const AttendCase& c, const Ceilings& ceilings) {
  const auto [heads, rank, rope, rows, positions] = c;
  std::vector<int32_t> blocks;
  for (int32_t b = 0; b * kKvBlock < positions; ++b) blocks.push_back(b);
  const std::vector<absl::Span<const int32_t>> tables = {blocks};
  std::vector<RowPlace> places;
  for (int64_t t = 0; t < rows; ++t)
    places.push_back({static_cast<int32_t>(positions - rows + t), 0});
  const std::unique_ptr<Device> device = Make(isa, 1);
  Side s(*device);
  const auto lines = static_cast<int64_t>(blocks.size()) * kKvBlock;
  const KvLayer kv{s.PutAct(RandomValues(3, lines, rank + rope)), tables};
  const Tensor q = s.PutAct(RandomValues(4, rows, heads * (rank + rope))).Heads(heads);
  const Tensor q_latent = q.Split(rank).first, q_rope = q.Split(rank).second;
  const Tensor out = s.OutAct(rows, heads * rank).Heads(heads);
  const double seconds =
      Seconds([&] { s.ops().MlaAttend(q_latent, q_rope, kv, places, 0.1f, out); });
  const double pairs = static_cast<double>(rows * positions - rows * (rows - 1) / 2);
  Report("attend " + std::to_string(rows) + " rows, " + std::to_string(heads) + " heads, " +
             std::to_string(positions),
         seconds, static_cast<double>(positions * (rank + rope) * 2),
         2 * pairs * static_cast<double>(heads * (2 * rank + rope)), ceilings);
}

void CheckAll(Isa isa) {
  for (DType dtype : {DType::kBF16, DType::kF8E4M3}) {
    for (int64_t rows : {1, 16, 64, 512}) {
      CheckSame("MatMul", isa, [&](Side& s) {
        const Tensor out = s.OutF32(rows, 96);
        s.ops().MatMul(s.PutAct(RandomValues(5, rows, 1100)),
                       s.PutWeight(RandomValues(6, 96, 1100), dtype, RandomValues(7, 1, 9, 0.1f)),
                       out);
        return s.Bytes(out);
      });
    }
  }
  CheckSame("MlaAttend", isa, [](Side& s) {
    const std::vector<int32_t> blocks = {0, 1};
    const std::vector<absl::Span<const int32_t>> tables = {blocks};
    const KvLayer kv{s.PutAct(RandomValues(8, 128, 576)), tables};
    const auto [q_latent, q_rope] = s.PutAct(RandomValues(9, 1, 16 * 576)).Heads(16).Split(512);
    const Tensor out = s.OutAct(1, 16 * 512);
    s.ops().MlaAttend(q_latent, q_rope, kv, {{100, 0}}, 0.05f, out.Heads(16));
    return s.Bytes(out);
  });
}

void Run(Isa isa) {
  CheckAll(isa);
  const Ceilings ceilings{MemoryCeiling(), isa == Isa::kAmx ? cpu::TileCeiling() : 0};
  std::printf(
      "cpu/%s, one thread; results equal those of cpu/portable bit for bit. Ceilings of this "
      "machine, one thread: "
      "memory %.1f GB/s",
      std::string(IsaName(isa)).c_str(), ceilings.gb_per_s);
  if (ceilings.gflop_per_s > 0) std::printf(", tile unit %.0f GFLOP/s", ceilings.gflop_per_s);
  std::printf("\n");
  for (DType dtype : {DType::kBF16, DType::kF8E4M3}) {
    BenchMatMul(isa, dtype, 2048, 7168, ceilings);
    BenchMatMul(isa, dtype, 128, 128, ceilings);
  }
  BenchAttend(isa, {128, 512, 64, 1, 4096}, ceilings);
  BenchAttend(isa, {128, 512, 64, 64, 1024}, ceilings);
  BenchAttend(isa, {4, 128, 16, 1, 512}, ceilings);
  BenchAttend(isa, {4, 128, 16, 64, 512}, ceilings);
}

}  // namespace
}  // namespace shoal

// ops_benchmark [amx|avx512|avx2|portable]
int main(int argc, char** argv) {
  const std::string wanted =
      argc > 1 ? argv[1] : std::string(shoal::IsaName(shoal::SupportedIsas().front()));
  for (shoal::Isa isa : shoal::SupportedIsas()) {
    if (shoal::IsaName(isa) != wanted) continue;
    shoal::Run(isa);
    return EXIT_SUCCESS;
  }
  std::fprintf(stderr, "ops_benchmark: this machine has no instruction set %s\n", wanted.c_str());
  return EXIT_FAILURE;
}
