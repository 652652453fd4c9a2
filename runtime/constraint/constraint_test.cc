#include "runtime/constraint/constraint.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "runtime/base/check.h"
#include "runtime/base/token_id.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/mask_check.h"
#include "runtime/constraint/spec.h"
#include "runtime/constraint/test_vocabulary.h"
#include "runtime/constraint/tokenizer_vocabulary.h"
#include "runtime/constraint/vocabulary.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tokenizer.h"

namespace shoal {
namespace {

using Kind = ConstraintSpec::Kind;
using ConstraintPtr = std::shared_ptr<const Constraint>;

constexpr char kTree[] = R"({"properties":{"name":{"type":"string"},"n":{"type":"number"},
  "children":{"type":"array","items":{"anyOf":[{"$ref":"#"},{"type":"integer"},
  {"type":"string","maxLength":3}]}},"any":{}}})";

std::vector<ConstraintSpec> Specs() {
  return {{.kind = Kind::kJsonObject},
          {.kind = Kind::kJsonSchema, .text = kTree},
          {.kind = Kind::kRegex, .text = "([a-c]+|[0-9]{2,5}|.{1,3}é)*"},
          {.kind = Kind::kChoices, .choices = {"a", "aab", "abc", "{}", "€", "😀\""}}};
}

ConstraintPtr Compile(const ConstraintSpec& spec, std::shared_ptr<const Vocabulary> vocabulary,
                      const ConstraintLimits& limits = {.nesting = 3}) {
  auto constraint = Constraint::Compile(spec, std::move(vocabulary), limits);
  CHECK_OK(constraint.status());
  return *std::move(constraint);
}

// A random walk through the constraint, asking `visit` at every state.
template <typename Visit>
void Walk(const ConstraintPtr& constraint, uint64_t seed, int steps, Visit visit) {
  std::mt19937_64 random(seed);
  ConstraintState state(constraint);
  for (int i = 0; i < steps; ++i) {
    const std::vector<uint64_t> mask = MaskOf(state, constraint->vocabulary().size());
    visit(state, mask);
    const std::vector<TokenId> allowed = AllowedBy(mask);
    if (allowed.empty()) {
      ASSERT_TRUE(state.is_finished());
      state = ConstraintState(constraint);
      continue;
    }
    ASSERT_TRUE(state.Advance(allowed[random() % allowed.size()]));
  }
}

TEST(Constraint, AMaskIsWhatTryingEachTokenSays) {
  for (const ConstraintSpec& spec : Specs()) {
    const ConstraintPtr constraint = Compile(spec, TestVocabulary());
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Walk(constraint, seed, 40,
           [&](const ConstraintState& state, absl::Span<const uint64_t> mask) {
             ASSERT_EQ(MaskErrors(state, mask, constraint->vocabulary().size()), 0u);
           });
    }
  }
}

TEST(Constraint, AMaskOfTheRealVocabularyIsWhatTryingEachTokenSays) {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  const TokenId end = *tokenizer.IdOf("<｜end▁of▁sentence｜>");
  const auto vocabulary = VocabularyOf(tokenizer, 129'280, {end});
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  for (const ConstraintSpec& spec : Specs()) {
    const ConstraintPtr constraint = Compile(spec, *vocabulary);
    int step = 0;
    Walk(constraint, 1, 9, [&](const ConstraintState& state, absl::Span<const uint64_t> mask) {
      if (step++ % 4 > 0) return;
      ASSERT_EQ(MaskErrors(state, mask, (*vocabulary)->size()), 0u);
      // Special tokens stand for no text.
      for (TokenId id = 0; id < static_cast<TokenId>(tokenizer.vocab_size()); ++id) {
        if (id == end || !tokenizer.IsAdded(id)) continue;
        ASSERT_EQ(mask[id / 64] >> (id % 64) & 1, 0u) << "token " << id;
      }
    });
  }
}

// The saboteur: one wrong bit, wherever it is, is seen by the test above.
TEST(Constraint, OneWrongBitIsFound) {
  const ConstraintPtr constraint = Compile(Specs()[1], TestVocabulary());
  std::mt19937_64 random(3);
  Walk(constraint, 5, 30, [&](const ConstraintState& state, absl::Span<const uint64_t> mask) {
    std::vector<uint64_t> wrong(mask.begin(), mask.end());
    const size_t id = random() % constraint->vocabulary().size();
    wrong[id / 64] ^= uint64_t{1} << (id % 64);
    ASSERT_EQ(MaskErrors(state, wrong, constraint->vocabulary().size()), 1u);
  });
}

TEST(Constraint, MasksDoNotDependOnWhatIsCached) {
  for (const ConstraintSpec& spec : Specs()) {
    const ConstraintPtr roomy = Compile(spec, TestVocabulary());
    const ConstraintPtr tight = Compile(spec, TestVocabulary(), {.nesting = 3, .cached_masks = 1});
    std::vector<std::vector<uint64_t>> masks;
    Walk(roomy, 9, 80, [&](const ConstraintState&, absl::Span<const uint64_t> mask) {
      masks.emplace_back(mask.begin(), mask.end());
    });
    size_t i = 0;
    Walk(tight, 9, 80, [&](const ConstraintState&, absl::Span<const uint64_t> mask) {
      ASSERT_EQ(mask, absl::MakeConstSpan(masks[i++]));
    });
  }
}

TEST(Constraint, IsSharedByThreads) {
  const ConstraintPtr constraint =
      Compile(Specs()[1], TestVocabulary(), {.nesting = 3, .cached_masks = 8});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&constraint, t] {
      Walk(constraint, t, 60, [&](const ConstraintState& state, absl::Span<const uint64_t> mask) {
        EXPECT_EQ(MaskErrors(state, mask, constraint->vocabulary().size()), 0u);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
}

bool Advance(ConstraintState* state, absl::string_view bytes) {
  for (const char c : bytes) {
    if (!state->Advance(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

TEST(ConstraintState, ARefusedTokenChangesNothing) {
  ConstraintState state(
      Compile({.kind = Kind::kChoices, .choices = {"ab", "ac"}}, TestVocabulary()));
  EXPECT_TRUE(state.Advance('a'));
  EXPECT_FALSE(state.Advance('a'));
  EXPECT_FALSE(state.Advance(kTestEnd));
  EXPECT_FALSE(state.Advance(kTestEndOfThink));
  EXPECT_FALSE(state.Advance(-1));
  EXPECT_FALSE(state.Advance(1 << 20));
  EXPECT_FALSE(state.accepting());
  EXPECT_TRUE(state.Advance('c'));
  EXPECT_TRUE(state.accepting());
  EXPECT_FALSE(state.is_finished());
  EXPECT_EQ(AllowedBy(MaskOf(state, 1000)), std::vector<TokenId>{kTestEnd});
  EXPECT_TRUE(state.Advance(kTestEnd));
  EXPECT_TRUE(state.is_finished());
  EXPECT_FALSE(state.accepting());
  EXPECT_TRUE(AllowedBy(MaskOf(state, 1000)).empty());
  EXPECT_FALSE(state.Advance('a'));
}

TEST(ConstraintState, ACopyIsTheWayBackFromASpeculation) {
  const ConstraintPtr constraint = Compile({.kind = Kind::kJsonObject}, TestVocabulary());
  ConstraintState state(constraint);
  ASSERT_TRUE(Advance(&state, "{\"a\":[1,"));
  const std::vector<uint64_t> before = MaskOf(state, constraint->vocabulary().size());
  ConstraintState draft = state;
  ASSERT_TRUE(Advance(&draft, "{\"b\":2}],\"c\":\"x"));
  EXPECT_NE(MaskOf(draft, constraint->vocabulary().size()), before);
  EXPECT_EQ(MaskOf(state, constraint->vocabulary().size()), before);
  ASSERT_TRUE(Advance(&state, "2]}"));
  EXPECT_TRUE(state.accepting());
  EXPECT_FALSE(draft.accepting());
  ASSERT_TRUE(Advance(&draft, "\"}"));
  EXPECT_TRUE(draft.accepting());
}

TEST(ConstraintState, IsFreeUntilTheThoughtEnds) {
  const ConstraintPtr constraint =
      Compile({.kind = Kind::kChoices, .choices = {"yes", "no"}}, TestVocabulary());
  const size_t size = constraint->vocabulary().size();
  ConstraintState state = ConstraintState::FreeUntil(kTestEndOfThink, constraint);
  EXPECT_TRUE(state.is_free());
  // Everything but the end of the text, which would come without the answer.
  EXPECT_EQ(AllowedBy(MaskOf(state, size)).size(), size - 1);
  EXPECT_EQ(MaskErrors(state, MaskOf(state, size), size), 0u);
  EXPECT_FALSE(state.Advance(kTestEnd));
  ASSERT_TRUE(Advance(&state, "maybe {\xFF"));
  EXPECT_FALSE(state.accepting());
  const ConstraintState thinking = state;
  ASSERT_TRUE(state.Advance(kTestEndOfThink));
  EXPECT_FALSE(state.is_free());
  EXPECT_EQ(AllowedBy(MaskOf(state, size)), (std::vector<TokenId>{'n', 'y'}));
  EXPECT_FALSE(state.Advance(kTestEndOfThink));
  ASSERT_TRUE(Advance(&state, "yes"));
  EXPECT_TRUE(state.accepting());
  // A draft that ran past the end of the thought goes back into it.
  EXPECT_TRUE(thinking.is_free());
  EXPECT_EQ(AllowedBy(MaskOf(thinking, size)).size(), size - 1);
}

TEST(Constraint, ClearsWordsBeyondTheVocabulary) {
  const ConstraintPtr constraint = Compile({.kind = Kind::kRegex, .text = ".*"}, TestVocabulary());
  for (const bool is_free : {false, true}) {
    const ConstraintState state = is_free ? ConstraintState::FreeUntil(kTestEndOfThink, constraint)
                                          : ConstraintState(constraint);
    for (const TokenId id : AllowedBy(MaskOf(state, 2000))) {
      EXPECT_LT(id, static_cast<TokenId>(constraint->vocabulary().size()));
    }
  }
}

TEST(VocabularyOf, RefusesAModelWithFewerIds) {
  const auto vocabulary = VocabularyOf(DeepSeekV3Tokenizer(), 1000, {1});
  EXPECT_EQ(vocabulary.status().message(), "the tokenizer has 128815 ids, the model 1000");
}

}  // namespace
}  // namespace shoal
