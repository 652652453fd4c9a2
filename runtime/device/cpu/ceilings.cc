#include "runtime/device/cpu/ceilings.h"

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/memory.h"
#include "runtime/device/cpu/thread_pool.h"

namespace shoal::cpu {
namespace {

constexpr size_t kBuffer = size_t{1} << 30;
constexpr size_t kPiece = size_t{32} << 20;  // what one thread reads in one run
constexpr int kSteps = 200000;               // of 10 FMAs or 4 tile products in one run

double Now(clockid_t clock) {
  timespec t;
  CHECK_EQ(clock_gettime(clock, &t), 0);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The vector units are reached by attributes: the rest of this file runs on any x86-64.
#define SHOAL_AVX512 __attribute__((target("avx512f")))
#define SHOAL_AVX2 __attribute__((target("avx2,fma")))
#define SHOAL_AMX __attribute__((target("amx-tile,amx-bf16")))

// The ways to read kPiece bytes. What they return depends on what they read, so that no load is
// left out; tile loads are never left out.
uint64_t ReadSse(const std::byte* p) {
  __m128i sum[4] = {};
  for (size_t i = 0; i < kPiece / 4; i += 16) {
    for (size_t stream = 0; stream < 4; ++stream) {
      const auto* from = reinterpret_cast<const __m128i*>(p + stream * (kPiece / 4) + i);
      sum[stream] = _mm_add_epi64(sum[stream], _mm_load_si128(from));
    }
  }
  const __m128i all = _mm_add_epi64(_mm_add_epi64(sum[0], sum[1]), _mm_add_epi64(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(all));
}

template <size_t kStreams>
SHOAL_AVX512 uint64_t ReadAvx512(const std::byte* p) {
  constexpr size_t kStream = kPiece / kStreams, kAhead = 4096;
  __m512i sum[kStreams];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  for (size_t i = 0; i < kStream; i += 256) {
    for (size_t stream = 0; stream < kStreams; ++stream) {
      const std::byte* from = p + stream * kStream + i;
      for (size_t line = 0; line < 256; line += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(from + line + kAhead), _MM_HINT_T0);
        sum[stream] = _mm512_add_epi64(sum[stream], _mm512_load_si512(from + line));
      }
    }
  }
  for (__m512i& s : absl::MakeSpan(sum).subspan(1)) sum[0] = _mm512_add_epi64(sum[0], s);
  alignas(64) uint64_t lanes[8];
  _mm512_store_si512(lanes, sum[0]);
  return lanes[0];
}

SHOAL_AMX void OpenTiles() {
  alignas(64) uint8_t config[64] = {1};  // LDTILECFG's palette, bytes per row and rows
  for (int i = 0; i < 8; ++i) config[16 + 2 * i] = 64, config[48 + i] = 16;
  __asm__ volatile("" ::: "memory");  // GCC's _tile_loadconfig does not say that it reads all of it
  _tile_loadconfig(config);
}

SHOAL_AMX uint64_t ReadTiles(const std::byte* p) {
  OpenTiles();
  for (size_t i = 0; i < kPiece; i += 1024) {
    for (size_t line = 0; line < 1024; line += 64)
      _mm_prefetch(reinterpret_cast<const char*>(p + i + line + 4096), _MM_HINT_T0);
    _tile_loadd(6, p + i, 64);
  }
  _tile_release();
  return 0;
}

// Tile products of zeros, or of numbers of both signs and all mantissas around 1.
SHOAL_AMX void MultiplyTiles(bool numbers) {
  OpenTiles();
  if (numbers) {
    alignas(64) uint16_t tile[512];
    uint32_t state = 1;
    for (uint16_t& x : tile) {
      state = state * 1664525 + 1013904223;
      x = static_cast<uint16_t>(0x3f80 | (state >> 16 & 0x807f));
    }
    __asm__ volatile("" ::: "memory");  // the tile loads read it, and do not say so
    _tile_loadd(4, tile, 64);
    _tile_loadd(5, tile, 64);
    _tile_loadd(6, tile, 64);
    _tile_loadd(7, tile, 64);
    __asm__ volatile("" ::: "memory");
  }
  for (int i = 0; i < kSteps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

// Ten chains hide the latency of two units of depth 4 with some to spare; the asm keeps them apart.
SHOAL_AVX512 void FmaAvx512() {
  __m512 acc[10];
  for (__m512& a : acc) a = _mm512_set1_ps(1);
  const __m512 x = _mm512_set1_ps(0.5f);
  for (int i = 0; i < kSteps; ++i) {
    for (__m512& a : acc) {
      a = _mm512_fmadd_ps(a, x, x);
      __asm__ volatile("" : "+v"(a));
    }
  }
}
SHOAL_AVX2 void FmaAvx2() {
  __m256 acc[10];
  for (__m256& a : acc) a = _mm256_set1_ps(1);
  const __m256 x = _mm256_set1_ps(0.5f);
  for (int i = 0; i < kSteps; ++i) {
    for (__m256& a : acc) {
      a = _mm256_fmadd_ps(a, x, x);
      __asm__ volatile("" : "+x"(a));
    }
  }
}

bool Has(Isa isa) {
  const std::vector<Isa>& isas = SupportedIsas();
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

// The seconds of the fastest of several runs of `body` on every thread at once.
double Best(ThreadPool& pool, const std::function<void(int64_t)>& body) {
  const clockid_t clock = pool.threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  double best = 1e9;
  for (int run = 0; run < 15; ++run) {
    const double begin = Now(clock);
    pool.ParallelFor(pool.threads(), 1, [&](int, int64_t i, int64_t) { body(i); });
    best = std::min(best, Now(clock) - begin);
  }
  return best;
}

double DramRate(ThreadPool& pool) {
  std::vector<uint64_t (*)(const std::byte*)> ways = {ReadSse};
  if (Has(Isa::kAvx512)) ways.insert(ways.end(), {ReadAvx512<1>, ReadAvx512<4>});
  if (Has(Isa::kAmx)) ways.push_back(ReadTiles);
  HostMemory memory;
  std::byte* buffer = memory.AllocateChunk(kBuffer + kPiece);  // prefetches run past the end
  std::memset(buffer, 1, kBuffer);
  std::vector<uint64_t> sums(static_cast<size_t>(pool.threads()));
  std::vector<size_t> turn(sums.size());
  double best = 0;
  for (auto* way : ways) {
    const double s = Best(pool, [&](int64_t item) {
      const auto i = static_cast<size_t>(item);
      const size_t piece = (turn[i]++ * turn.size() + i) % (kBuffer / kPiece);
      sums[i] += way(buffer + piece * kPiece);
    });
    best = std::max(best, static_cast<double>(kPiece) * pool.threads() / s);
  }
  CHECK_NE(sums[0], 0u);
  memory.FreeChunk(buffer, kBuffer + kPiece);
  return best;
}

}  // namespace

Ceilings MeasureCeilings(int threads) {
  ThreadPool pool(threads);
  Ceilings c;
  c.dram_read_bytes_per_s = DramRate(pool);
  if (Has(Isa::kAmx)) {
    const double flops = kSteps * 4.0 * 2 * 16 * 16 * 32 * threads;
    c.tile_flops_per_s = flops / Best(pool, [](int64_t) { MultiplyTiles(false); });
    c.number_flops_per_s = flops / Best(pool, [](int64_t) { MultiplyTiles(true); });
  }
  if (Has(Isa::kAvx512)) {
    const double s = Best(pool, [](int64_t) { FmaAvx512(); });
    c.fma_flops_per_s = kSteps * 10.0 * 2 * 16 * threads / s;
  } else if (Has(Isa::kAvx2)) {
    const double s = Best(pool, [](int64_t) { FmaAvx2(); });
    c.fma_flops_per_s = kSteps * 10.0 * 2 * 8 * threads / s;
  }
  return c;
}

std::vector<double> MedianSeconds(int threads, absl::Span<const std::function<void()>> runs,
                                  int rounds, double slice_s) {
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  std::vector<int> batch;
  for (const auto& run : runs) {
    run();
    const double begin = Now(clock);
    run();
    batch.push_back(static_cast<int>(std::clamp(slice_s / (Now(clock) - begin), 1.0, 1e6)));
  }
  std::vector<std::vector<double>> seconds(runs.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < runs.size(); ++i) {
      const double begin = Now(clock);
      for (int j = 0; j < batch[i]; ++j) runs[i]();
      seconds[i].push_back((Now(clock) - begin) / batch[i]);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& s : seconds) {
    std::nth_element(s.begin(), s.begin() + rounds / 2, s.end());
    medians.push_back(s[static_cast<size_t>(rounds / 2)]);
  }
  return medians;
}

}  // namespace shoal::cpu
