// Over many random schemas: what is sampled through the masks always parses and
// satisfies its schema; what satisfies a schema can always be written; and a mask
// is what trying each token says.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/base/token_id.h"
#include "runtime/constraint/constraint.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/mask_check.h"
#include "runtime/constraint/random_schema.h"
#include "runtime/constraint/schema_check.h"
#include "runtime/constraint/spec.h"
#include "runtime/constraint/test_vocabulary.h"
#include "runtime/constraint/tokenizer_vocabulary.h"
#include "runtime/constraint/vocabulary.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

constexpr int kSchemas = 400, kRealSchemas = 60;
constexpr int kFreeTokens = 60;  // before the sampler tries to come to an end

using Json = RandomSchema::Json;
using VocabularyPtr = std::shared_ptr<const Vocabulary>;

VocabularyPtr RealVocabulary() {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  // As the model: its embeddings have more rows than the tokenizer has ids.
  auto vocabulary = VocabularyOf(tokenizer, 129'280, {*tokenizer.IdOf("<｜end▁of▁sentence｜>")});
  CHECK_OK(vocabulary.status());
  return *std::move(vocabulary);
}

absl::StatusOr<std::shared_ptr<const Constraint>> Compile(const Json& schema,
                                                          const VocabularyPtr& vocabulary) {
  return Constraint::Compile({.kind = ConstraintSpec::Kind::kJsonSchema, .text = schema.dump()},
                             vocabulary, {.nesting = 5});
}

// Takes random allowed tokens until the end.
class Sampler {
 public:
  Sampler(const VocabularyPtr& vocabulary, uint64_t seed) : vocabulary_(vocabulary), random_(seed) {
    for (size_t i = 0; i < vocabulary->size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      const absl::string_view bytes = vocabulary->BytesOf(id);
      const bool is_structure =
          !bytes.empty() && bytes.find_first_not_of("{}[]\",: 0123456789") == bytes.npos;
      if (is_structure) structure_.push_back(id);
      for (size_t c = 0; c < kClosing.size(); ++c) {
        if (bytes == kClosing.substr(c, 1)) closing_.push_back(id);
      }
    }
    std::sort(closing_.begin(), closing_.end(), [&](TokenId a, TokenId b) {
      return kClosing.find(vocabulary->BytesOf(a)) < kClosing.find(vocabulary->BytesOf(b));
    });
  }

  std::string Sample(ConstraintState state, int check_every) {
    std::string text;
    for (int n = 0; !state.is_finished(); ++n) {
      CHECK_LT(n, 3000);
      const std::vector<uint64_t> mask = MaskOf(state, vocabulary_->size());
      if (check_every > 0 && random_() % check_every == 0) {
        EXPECT_EQ(MaskErrors(state, mask, vocabulary_->size()), 0u);
        ++num_checked_;
      }
      const TokenId token = Choose(state, mask, n);
      EXPECT_TRUE(state.Advance(token));
      text += std::string(vocabulary_->BytesOf(token));
    }
    return text;
  }

  int num_checked() const { return num_checked_; }

 private:
  static constexpr absl::string_view kClosing = "\"}]:,0n";

  TokenId Choose(const ConstraintState& state, absl::Span<const uint64_t> mask, int n) {
    const auto is_allowed = [&](TokenId id) { return mask[id / 64] >> (id % 64) & 1; };
    if (n >= kFreeTokens) {
      if (state.accepting()) return vocabulary_->end_tokens()[0];
      for (const TokenId id : closing_) {
        if (is_allowed(id)) return id;
      }
    } else if (random_() % 3 > 0) {
      std::vector<TokenId> allowed;
      std::copy_if(structure_.begin(), structure_.end(), std::back_inserter(allowed), is_allowed);
      if (!allowed.empty()) return allowed[random_() % allowed.size()];
    }
    const std::vector<TokenId> allowed = AllowedBy(mask);
    CHECK(!allowed.empty()) << "a dead end";
    return allowed[random_() % allowed.size()];
  }

  const VocabularyPtr vocabulary_;
  std::mt19937_64 random_;
  std::vector<TokenId> structure_;
  std::vector<TokenId> closing_;
  int num_checked_ = 0;
};

void ExpectSatisfies(const std::string& text, const Json& schema) {
  ASSERT_TRUE(CheckUtf8(text).ok());
  ASSERT_TRUE(nlohmann::json::accept(text)) << text << "\n" << schema;
  const nlohmann::json plain = schema;
  EXPECT_TRUE(SatisfiesSchema(nlohmann::json::parse(text), plain, plain)) << text << "\n" << schema;
}

TEST(SchemaProperty, WhatIsSampledSatisfiesItsSchema) {
  const VocabularyPtr vocabulary = TestVocabulary();
  Sampler sampler(vocabulary, 7);
  int num_compiled = 0;
  for (int seed = 0; seed < kSchemas; ++seed) {
    SCOPED_TRACE(seed);
    const Json schema = RandomSchema(seed).Make(seed % 4);
    const auto constraint = Compile(schema, vocabulary);
    ASSERT_TRUE(constraint.ok()) << constraint.status() << "\n" << schema;
    ++num_compiled;
    for (int i = 0; i < 2; ++i) {
      ExpectSatisfies(sampler.Sample(ConstraintState(*constraint), 20), schema);
    }
  }
  EXPECT_EQ(num_compiled, kSchemas);
  EXPECT_GT(sampler.num_checked(), kSchemas);
}

TEST(SchemaProperty, WhatIsSampledFromTheRealVocabularySatisfiesItsSchema) {
  const VocabularyPtr vocabulary = RealVocabulary();
  Sampler sampler(vocabulary, 8);
  for (int seed = 1000; seed < 1000 + kRealSchemas; ++seed) {
    SCOPED_TRACE(seed);
    const Json schema = RandomSchema(seed).Make(seed % 4);
    const auto constraint = Compile(schema, vocabulary);
    ASSERT_TRUE(constraint.ok()) << constraint.status() << "\n" << schema;
    ExpectSatisfies(sampler.Sample(ConstraintState(*constraint), 300), schema);
  }
  EXPECT_GT(sampler.num_checked(), 3);
}

std::string Written(const Json& value, int style) {
  if (style == 0) return value.dump();
  if (style == 1) return value.dump(2);
  return value.dump(1, '\t', /*ensure_ascii=*/false);
}

TEST(SchemaProperty, WhatSatisfiesASchemaCanBeWritten) {
  const VocabularyPtr vocabulary = RealVocabulary();
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  int num_tokens = 0;
  for (int seed = 0; seed < kSchemas; ++seed) {
    SCOPED_TRACE(seed);
    RandomSchema random(seed);
    const Json schema = random.Make(seed % 4);
    const auto constraint = Compile(schema, vocabulary);
    ASSERT_TRUE(constraint.ok()) << constraint.status();
    for (int i = 0; i < 3; ++i) {
      const Json value = random.Value(schema);
      const std::string text = Written(value, i);
      ExpectSatisfies(text, schema);  // of the generator, too
      const auto ids = tokenizer.Encode(text);
      ASSERT_TRUE(ids.ok());
      ConstraintState state(*constraint);
      for (const TokenId id : *ids) {
        ASSERT_TRUE(state.Advance(id)) << text << "\n" << schema;
        ++num_tokens;
      }
      EXPECT_TRUE(state.accepting()) << text << "\n" << schema;
    }
  }
  EXPECT_GT(num_tokens, 10 * kSchemas);
}

}  // namespace
}  // namespace shoal
