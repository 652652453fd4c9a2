// A token takes nothing from the heap once the scratch has seen the vocabulary.

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/sampling/sampler.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::terminate();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace shoal {
namespace {

TEST(AllocationTest, NoneAfterTheFirstRow) {
  constexpr size_t kVocab = 20'011;
  std::mt19937 random(1);
  std::vector<float> logits(kVocab);
  std::vector<TokenId> history(3000), stops = {7};
  std::vector<uint64_t> allowed(kVocab / 64 + 1, 0x5555555555555555);
  SamplerScratch scratch;
  int64_t later = 0;
  for (int round = 0; round < 12; ++round) {
    const float spread = round % 2 == 0 ? 0.01f : 30;  // flat rows take the histogram
    for (float& l : logits) l = spread * static_cast<float>(random() % 4096) / 4096;
    for (TokenId& id : history) id = static_cast<TokenId>(random() % kVocab);
    const SamplingOptions options{.temperature = round % 3 == 0 ? 0 : 1.0f,
                                  .top_p = 0.9f,
                                  .top_k = round % 4 == 0 ? 50 : 0,
                                  .seed = 3,
                                  .frequency_penalty = 0.5f,
                                  .repetition_penalty = 1.1f,
                                  .logit_bias = {{4, 1}},
                                  .min_tokens = 1 << 20,
                                  .logprobs = true,
                                  .top_logprobs = 20};
    const int64_t before = allocations;
    ASSERT_TRUE(Sample({.logits = logits,
                        .options = options,
                        .prompt = history,
                        .output = history,
                        .stop_tokens = stops,
                        .allowed = allowed},
                       scratch)
                    .ok());
    // The first rounds see a row of each kind.
    if (round >= 2) later += allocations - before;
  }
  EXPECT_GT(allocations, 0);
  EXPECT_EQ(later, 0);
}

}  // namespace
}  // namespace shoal
