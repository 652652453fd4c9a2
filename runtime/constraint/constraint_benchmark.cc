// Prints what constraints cost at DeepSeek-V3's 129,280 logits: compiling, a mask
// of a state that nobody asked about before (cold), of one that somebody did
// (warm), and taking a token. The copy of a mask's 16 KB is the floor of a warm
// one, trying every token the naive way to a cold one; both in the same run. Texts
// are written ahead and read token by token; every mask is compared with the naive
// one at one place of each text before anything is timed.
//
//   bazel run //runtime/constraint:constraint_benchmark

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/base/token_id.h"
#include "runtime/constraint/constraint.h"
#include "runtime/constraint/mask_check.h"
#include "runtime/constraint/spec.h"
#include "runtime/constraint/tokenizer_vocabulary.h"
#include "runtime/constraint/vocabulary.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tokenizer.h"

namespace shoal {
namespace {

using Kind = ConstraintSpec::Kind;

struct Case {
  const char* name;
  ConstraintSpec spec;
  std::string text;
};

std::vector<Case> Cases() {
  std::string wide = R"({"type":"object","properties":{)", wide_text = "{";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&wide, i > 0 ? "," : "", "\"field", i, R"(":{"type":"string"})");
    if (i % 5 == 0)
      absl::StrAppend(&wide_text, i > 0 ? ", " : "", "\"field", i, R"(": "a few words")");
  }
  return {
      {"json_object",
       {.kind = Kind::kJsonObject},
       R"({"city": "Zürich", "temperatures": [12.5, -3, 1e3], "station": {"id": 7, "open": true}})"},
      {"schema: function call",
       {.kind = Kind::kJsonSchema,
        .text = R"({"type":"object","properties":{"location":{"type":"string"},
           "unit":{"enum":["celsius","fahrenheit"]},"days":{"type":"integer","minimum":1,
           "maximum":14}},"required":["location","unit"],"additionalProperties":false})"},
       R"({"location": "San Francisco, California", "unit": "celsius", "days": 12})"},
      {"schema: recursive tree",
       {.kind = Kind::kJsonSchema,
        .text = R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{
           "name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},
           "required":["name"]}}})"},
       R"({"name": "root", "children": [{"name": "left"}, {"name": "right", "children": []}]})"},
      {"schema: 50 properties", {.kind = Kind::kJsonSchema, .text = wide + "}}"}, wide_text + "}"},
      {"schema: string of 200",
       {.kind = Kind::kJsonSchema, .text = R"({"type":"string","maxLength":200})"},
       R"("The quick brown fox jumps over the lazy dog, again and again.")"},
      {"regex: date and time",
       {.kind = Kind::kRegex,
        .text = R"(\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])T\d{2}:\d{2}:\d{2}(\.\d+)?Z)"},
       "2026-11-22T01:30:00.125Z"},
      {"regex: lines of prose",
       {.kind = Kind::kRegex, .text = R"((- [^\n]{1,200}\n){1,5})"},
       "- first the sea\n- then the shore\n"},
      {"choices: 4",
       {.kind = Kind::kChoices, .choices = {"yes", "no", "maybe", "not sure"}},
       "not sure"},
  };
}

double Now() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Of the places of a text, the one whose median over the rounds is the greatest.
double GreatestMedian(const std::vector<std::vector<double>>& by_place) {
  double greatest = 0;
  for (const std::vector<double>& place : by_place) greatest = std::max(greatest, Median(place));
  return greatest;
}

template <typename Work>
double Timed(Work work) {
  const double start = Now();
  work();
  return Now() - start;
}

std::vector<ConstraintState> Path(const std::shared_ptr<const Constraint>& constraint,
                                  absl::Span<const TokenId> ids, std::vector<double>* advance) {
  std::vector<ConstraintState> states = {ConstraintState(constraint)};
  for (const TokenId id : ids) {
    ConstraintState next = states.back();
    bool is_taken = false;
    advance->push_back(Timed([&] { is_taken = next.Advance(id); }));
    CHECK(is_taken);
    states.push_back(next);
  }
  CHECK(states.back().accepting());
  return states;
}

void Run(const Case& c, const std::shared_ptr<const Vocabulary>& vocabulary) {
  const auto ids = DeepSeekV3Tokenizer().Encode(c.text);
  CHECK_OK(ids.status());
  std::vector<double> compile, cold, warm, advance;
  std::vector<uint64_t> bits(vocabulary->mask_words());
  std::vector<std::vector<double>> cold_by_place(ids->size() + 1);
  size_t states = 0;
  for (int round = 0; round < 8; ++round) {
    absl::StatusOr<std::shared_ptr<const Constraint>> constraint;
    compile.push_back(Timed([&] { constraint = Constraint::Compile(c.spec, vocabulary); }));
    CHECK_OK(constraint.status());
    states = (*constraint)->program().num_states();
    const std::vector<ConstraintState> path = Path(*constraint, *ids, &advance);
    if (round == 0) {
      const ConstraintState& middle = path[path.size() / 2];
      CHECK_EQ(MaskErrors(middle, MaskOf(middle, vocabulary->size()), vocabulary->size()), 0u);
      continue;
    }
    for (size_t i = 0; i < path.size(); ++i) {
      cold_by_place[i].push_back(Timed([&] { path[i].Mask(absl::MakeSpan(bits)); }));
      cold.push_back(cold_by_place[i].back());
    }
    for (const ConstraintState& state : path) {
      warm.push_back(Timed([&] { state.Mask(absl::MakeSpan(bits)); }));
    }
  }
  std::printf("| %-22s | %6zu | %7.2f | %8.1f | %8.1f | %6.2f | %6.2f |\n", c.name, states,
              Median(compile) / 1000, Median(cold), GreatestMedian(cold_by_place), Median(warm),
              Median(advance));
}

int Main() {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  absl::StatusOr<std::shared_ptr<const Vocabulary>> vocabulary;
  const double made = Timed([&] {
    vocabulary = VocabularyOf(tokenizer, 129'280, {*tokenizer.IdOf("<｜end▁of▁sentence｜>")});
  });
  CHECK_OK(vocabulary.status());
  std::printf("vocabulary: %zu ids, %zu trie nodes, made once in %.0f ms\n\n",
              (*vocabulary)->size(), (*vocabulary)->nodes().size(), made / 1000);
  std::printf("| %-22s | states | compile | cold p50 | cold max | warm   | token  |\n",
              "constraint");
  std::printf("|%s|--------|---------|----------|----------|--------|--------|\n",
              std::string(24, '-').c_str());
  std::printf("| %-22s |        | ms      | us       | us       | us     | us     |\n", "");
  for (const Case& c : Cases()) Run(c, *vocabulary);

  // The floor and the naive way.
  std::vector<uint64_t> from((*vocabulary)->mask_words(), 1), to(from.size());
  std::vector<double> copies, naive;
  for (int i = 0; i < 1000; ++i) {
    copies.push_back(Timed([&] { std::memcpy(to.data(), from.data(), from.size() * 8); }));
    from[static_cast<size_t>(i) % from.size()] += to[1];
  }
  const auto object = Constraint::Compile({.kind = Kind::kJsonObject}, *vocabulary);
  CHECK_OK(object.status());
  ConstraintState state(*object);
  CHECK(state.Advance(tokenizer.Encode("{\"")->at(0)));
  for (int i = 0; i < 3; ++i) {
    naive.push_back(Timed([&] { MaskErrors(state, from, (*vocabulary)->size()); }));
  }
  std::printf("\ncopy of a mask: %.2f us; json_object inside a key, every token tried: %.0f us\n",
              Median(copies), Median(naive));
  return 0;
}

}  // namespace
}  // namespace shoal

int main() { return shoal::Main(); }
