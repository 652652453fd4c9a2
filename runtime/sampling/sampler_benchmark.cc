// Prints the time of one token at V3's vocabulary beside the time that reading its logits takes:
// the floor of any sampler. Two kinds of rows: "peaked", as a trained model's (most tokens far
// below a few), and "flat" (nearly all tokens in the nucleus), the worst case. Before anything is
// timed, each answer is compared with the definition's (naive_sampler.h). Rows are taken in turn
// from more memory than a cache holds, or one row again and again ("cached"), as after the product
// that wrote it.

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/naive_sampler.h"
#include "runtime/sampling/sampler.h"

namespace shoal {
namespace {

constexpr size_t kVocab = 129'280;
constexpr size_t kRows = 256;  // 132 MB
constexpr int kRounds = 9;

// This thread's own processor time, which other processes do not lengthen.
double Now() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

using Row = std::vector<float>;

// Sums of uniforms stand for normals: the same rows everywhere.
std::vector<Row> MakeRows(bool peaked) {
  std::mt19937 random(7);
  std::vector<Row> rows(kRows, Row(kVocab));
  for (Row& row : rows) {
    for (float& l : row) {
      const uint32_t bits = random();
      const auto sum =
          static_cast<float>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24)) -
          510;
      l = (peaked ? 2.5f : 1.0f) * sum / 148;  // standard deviation 2.5 or 1
    }
    for (int i = 0; peaked && i < 40; ++i) {
      row[random() % kVocab] = 22 - 0.25f * static_cast<float>(i);
    }
  }
  return rows;
}

// The median over rounds of the seconds of one call; `run` takes a row.
template <typename Run>
double Seconds(const std::vector<Row>& rows, bool cached, const Run& run) {
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    constexpr size_t kCalls = 24;
    const double begin = Now();
    for (size_t i = 0; i < kCalls; ++i) run(rows[cached ? 0 : (round * kCalls + i) % kRows]);
    times.push_back((Now() - begin) / kCalls);
  }
  std::sort(times.begin(), times.end());
  return times[kRounds / 2];
}

// Reads a row and does next to nothing with it, in eight chains of 16 bytes; with kAhead, asks for
// what comes that many floats later.
template <size_t kAhead>
void Read(const Row& row, uint64_t& sink) {
  typedef uint64_t Words __attribute__((vector_size(16)));
  Words sum[8] = {};
  for (size_t i = 0; i + 32 <= kVocab; i += 32) {
    if (kAhead > 0) {
      __builtin_prefetch(row.data() + i + kAhead);
      __builtin_prefetch(row.data() + i + kAhead + 16);
    }
    for (size_t j = 0; j < 8; ++j) {
      Words words;
      __builtin_memcpy(&words, row.data() + i + 4 * j, sizeof(words));
      sum[j] |= words;
    }
  }
  for (const Words& words : sum) sink |= words[0] | words[1];
}

// The best of several ways.
double ReadSeconds(const std::vector<Row>& rows, bool cached) {
  uint64_t sink = 0;
  const double best = std::min({Seconds(rows, cached, [&](const Row& r) { Read<0>(r, sink); }),
                                Seconds(rows, cached, [&](const Row& r) { Read<256>(r, sink); }),
                                Seconds(rows, cached, [&](const Row& r) { Read<1024>(r, sink); })});
  CHECK_NE(sink, 0u);
  return best;
}

struct Case {
  std::string name;
  SamplingOptions options;
  size_t history = 0;
  bool masked = false;
};

std::vector<Case> Cases() {
  const SamplingOptions r1{.temperature = 0.6f, .top_p = 0.95f, .seed = 1};
  std::vector<Case> cases = {{"greedy", {}}, {"T=0.6 top_p=0.95", r1}};
  cases.push_back({"T=1", {.temperature = 1, .seed = 1}});
  cases.push_back({"T=0.6 top_k=50", {.temperature = 0.6f, .top_k = 50, .seed = 1}});
  Case penalties{"T=0.6 top_p=0.95, penalties, 2,000 tokens", r1, 2000};
  penalties.options.frequency_penalty = 0.2f;
  penalties.options.presence_penalty = 0.1f;
  penalties.options.repetition_penalty = 1.05f;
  cases.push_back(penalties);
  penalties.name = "T=0.6 top_p=0.95, penalties, 32,000 tokens";
  penalties.history = 32'000;
  cases.push_back(penalties);
  cases.push_back({"T=0.6 top_p=0.95, half masked", r1, 0, true});
  Case logprobs{"T=0.6 top_p=0.95, 20 logprobs", r1};
  logprobs.options.logprobs = true;
  logprobs.options.top_logprobs = 20;
  cases.push_back(logprobs);
  logprobs.name = "greedy, 20 logprobs";
  logprobs.options.temperature = 0;
  cases.push_back(logprobs);
  return cases;
}

void Run(const std::vector<Row>& rows, const std::string& kind, Isa isa) {
  const double far = ReadSeconds(rows, false), near = ReadSeconds(rows, true);
  std::printf(
      "\n%s rows, %s; reading one row takes %.1f us from memory (%.1f GB/s), %.1f us cached\n\n"
      "| options | from memory | of reading | cached | of reading |\n|---|---|---|---|---|\n",
      kind.c_str(), std::string(IsaName(isa)).c_str(), far * 1e6, kVocab * 4 / far / 1e9,
      near * 1e6);
  std::mt19937 random(5);
  std::vector<uint64_t> mask(kVocab / 64);
  for (uint64_t& word : mask) word = uint64_t{random()} << 32 | random();
  SamplerScratch scratch(isa);
  for (const Case& c : Cases()) {
    std::vector<TokenId> history(c.history);
    for (TokenId& id : history) id = static_cast<TokenId>(random() % 8000);
    const auto input = [&](const Row& row) {
      SampleInput in{.logits = row, .options = c.options, .output = history};
      if (c.masked) in.allowed = mask;
      return in;
    };
    for (size_t i = 0; i < 2; ++i) {
      const SampledToken token = *Sample(input(rows[i]), scratch);
      const SampledToken naive = NaiveSampler(input(rows[i])).token;
      CHECK(token.id == naive.id && token.logprob == naive.logprob) << c.name;
    }
    const auto sample = [&](const Row& row) { CHECK_OK(Sample(input(row), scratch)); };
    const double cold = Seconds(rows, false, sample), warm = Seconds(rows, true, sample);
    std::printf("| %s | %.1f us | %.1f | %.1f us | %.1f |\n", c.name.c_str(), cold * 1e6,
                cold / far, warm * 1e6, warm / near);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace shoal

int main() {
  for (bool peaked : {true, false}) {
    const std::vector<shoal::Row> rows = shoal::MakeRows(peaked);
    for (shoal::Isa isa : shoal::SupportedIsas()) {
      if (isa == shoal::Isa::kAvx512) continue;  // the same kernels as amx
      shoal::Run(rows, peaked ? "peaked" : "flat", isa);
    }
  }
}
