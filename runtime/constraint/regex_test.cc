#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "runtime/constraint/text_matcher.h"

namespace shoal {
namespace {

ConstraintSpec Regex(std::string pattern) {
  return {.kind = ConstraintSpec::Kind::kRegex, .text = std::move(pattern)};
}

struct Example {
  const char* pattern;
  std::vector<std::string> matches;
  std::vector<std::string> others;  // not whole matches
};

TEST(Regex, MatchesAsAWhole) {
  const std::vector<Example> examples = {
      {"abc", {"abc"}, {"", "ab", "abcd", "xabc"}},
      {"^abc$", {"abc"}, {"ab", "abcd"}},
      {"^a|b$", {"a", "b"}, {"ab", ""}},
      {"a*", {"", "a", "aaaa"}, {"b", "ab"}},
      {"a+?", {"a", "aaaa"}, {""}},
      {"(ab|cd)?e", {"e", "abe", "cde"}, {"abcde", "ae"}},
      {"a{2}", {"aa"}, {"a", "aaa"}},
      {"a{2,}", {"aa", "aaaaa"}, {"a"}},
      {"(?:ab){1,3}", {"ab", "ababab"}, {"", "abababab", "aba"}},
      {"[a-c_\\-]+", {"a-_c"}, {"d", ""}},
      {"[^a-c]", {"d", "é", "😀", "\n"}, {"a", "b", "dd", "\xC3"}},
      {"[-a]+", {"-a"}, {"b"}},
      {"[a-]+", {"-a"}, {"b"}},
      {".", {"a", "é", "€", "😀"}, {"\n", "\r", "", "ab", "\xE2\x82", "\xED\xA0\x80"}},
      {"\\d{3}-\\w\\s", {"123-_ ", "000-a\t"}, {"12a-_ ", "123-é "}},
      {"\\D\\W\\S", {"a-a", "é\xC2\xA0é"}, {"1-a", "aaa", "a- ", "a-\xC2\xA0"}},
      {"\\x41\\u20AC\\.", {"A€."}, {"A€x"}},
      {"[α-ω]+", {"αβγω"}, {"a", "Α"}},
      {"[\\u0000-\\uFFFF]", {"a", "\xED\x9F\xBF", "\xEF\xBF\xBF"}, {"😀", "\xED\xA0\x80"}},
      {"(a|b|)c", {"c", "ac"}, {"abc"}},
      {"()", {""}, {"a"}},
      {"((a{0,2}){0,2})*b", {"b", "aaaaaab"}, {"a", "ba"}},
  };
  for (const Example& example : examples) {
    SCOPED_TRACE(example.pattern);
    const Program program = Compiled(Regex(example.pattern));
    for (const std::string& text : example.matches) {
      EXPECT_EQ(MatchOf(program, text), Match::kWhole) << text;
    }
    for (const std::string& text : example.others) {
      EXPECT_NE(MatchOf(program, text), Match::kWhole) << text;
    }
  }
}

TEST(Regex, StaysAliveExactlyWhereItCanEnd) {
  const Program program = Compiled(Regex("ab(cd|ce)"));
  EXPECT_EQ(MatchOf(program, "abc"), Match::kPrefix);
  EXPECT_EQ(MatchOf(program, "abcf"), Match::kNo);
  // The class is empty, so its alternative leads nowhere, from its first byte on.
  const Program empty = Compiled(Regex("a|b[^\\d\\D]c"));
  EXPECT_EQ(MatchOf(empty, "a"), Match::kWhole);
  EXPECT_EQ(MatchOf(empty, "b"), Match::kNo);
}

TEST(Regex, RefusesByName) {
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"a(?=b)", "at byte 2: of the groups that begin with (? only (?: is supported"},
      {"(?<name>a)", "only (?: is supported"},
      {"(?i)a", "only (?: is supported"},
      {"(a)\\1", "at byte 4: \\1 is not supported"},
      {"\\bword", "\\b is not supported"},
      {"\\p{L}", "\\p is not supported"},
      {"a\\", "a backslash at the end"},
      {"a**", "a repetition of a repetition"},
      {"a++", "possessive"},
      {"*a", "at byte 0: nothing to repeat"},
      {"a|+", "nothing to repeat"},
      {"a{", "expected {m}, {m,} or {m,n}"},
      {"a{,3}", "expected {m}, {m,} or {m,n}"},
      {"a{3,2}", "at least 3, at most 2"},
      {"a{4097}", "a repetition beyond 4096 (limit repetition)"},
      {"a{99999999999999}", "a repetition beyond 4096 (limit repetition)"},
      {"{", "write \\{"},
      {"a}", "write \\}"},
      {"a]", "write \\]"},
      {"(a", "a ( without its )"},
      {"a)", "a ) without its ("},
      {"[a", "a [ without its ]"},
      {"[a-", "a [ without its ]"},
      {"[]a]", "write \\[ and \\] for brackets"},
      {"[[:alpha:]]", "write \\[ and \\] for brackets"},
      {"[z-a]", "a range from U+007a down to U+0061"},
      {"[\\d-z]", "between two characters"},
      {"[a-c-e]", "write \\- for a hyphen"},
      {"a^b", "^ and $ stand only at the ends"},
      {"(^a)", "^ and $ stand only at the ends"},
      {"(a$)", "^ and $ stand only at the ends"},
      {"\\uD800", "a surrogate is no character"},
      {"\\xZ1", "expected 2 hexadecimal digits"},
      {"[^\\d\\D]", "no finite text satisfies it"},
      {"\xFF", "not UTF-8"},
  };
  for (const auto& [pattern, why] : refusals) {
    const std::string refusal = Refusal(Regex(pattern));
    EXPECT_TRUE(absl::StrContains(refusal, why)) << pattern << " -> " << refusal;
    EXPECT_TRUE(absl::StartsWith(refusal, "regex: ")) << refusal;
  }
}

TEST(Regex, BombsAreRefusedByWhatTheyCost) {
  const std::vector<std::pair<std::string, std::string>> bombs = {
      {"(a|b)*a(a|b){20}", "limit states"},
      {"((((a{100}){100}){100}){100}){100}", "limit nfa_states"},
      {"((((((a{0,90}){0,90})*)*)*)*){90}", "limit nfa_states"},
      {"(.*a){200}(.*b){200}(.*c){200}", "limit"},
      {std::string(65, '(') + std::string(65, ')'), "limit group_depth"},
      {std::string(65537, 'a'), "65537 bytes, more than 65536 (limit text_bytes)"},
      {"(x+x+)+y(.|a|b|ab|ba)*(a|b){2000}[a-z]{2000}.{3000}", "limit"},
  };
  for (const auto& [pattern, why] : bombs) {
    const std::string refusal = Refusal(Regex(pattern));
    EXPECT_TRUE(absl::StrContains(refusal, why)) << pattern.substr(0, 60) << " -> " << refusal;
  }
  // Ambiguous, which does no harm to an automaton.
  EXPECT_EQ(MatchOf(Compiled(Regex("((a*)*)*b")), std::string(100, 'a')), Match::kPrefix);
}

TEST(Regex, ALimitIsTheLastValueThatPasses) {
  EXPECT_EQ(Refusal(Regex("a{9}"), {.repetition = 9}), "");
  EXPECT_NE(Refusal(Regex("a{10}"), {.repetition = 9}), "");
  EXPECT_EQ(Refusal(Regex("a{9}"), {.states = 10}), "");
  EXPECT_EQ(Refusal(Regex("a{9}"), {.states = 9}),
            "regex: its automaton has more than 9 states (limit states)");
  EXPECT_EQ(Refusal(Regex("aaa"), {.text_bytes = 3}), "");
  EXPECT_NE(Refusal(Regex("aaaa"), {.text_bytes = 3}), "");
  EXPECT_EQ(Refusal(Regex("((a))"), {.group_depth = 2}), "");
  EXPECT_NE(Refusal(Regex("((a))"), {.group_depth = 1}), "");
  EXPECT_NE(Refusal(Regex("a{100}"), {.work = 100}), "");
}

TEST(Choices, AreExactlyTheTexts) {
  const ConstraintSpec spec = {.kind = ConstraintSpec::Kind::kChoices,
                               .choices = {"yes", "no", "not \"sure\"", "né"}};
  const Program program = Compiled(spec);
  for (const std::string& choice : spec.choices) EXPECT_EQ(MatchOf(program, choice), Match::kWhole);
  EXPECT_EQ(MatchOf(program, "n"), Match::kPrefix);
  EXPECT_EQ(MatchOf(program, "not"), Match::kPrefix);
  EXPECT_EQ(MatchOf(program, ""), Match::kPrefix);
  EXPECT_EQ(MatchOf(program, "yess"), Match::kNo);
  EXPECT_EQ(MatchOf(program, "nä"), Match::kNo);
}

TEST(Choices, RefusesByName) {
  using Kind = ConstraintSpec::Kind;
  EXPECT_EQ(Refusal({.kind = Kind::kChoices}), "choices: the list is empty");
  EXPECT_EQ(Refusal({.kind = Kind::kChoices, .choices = {"a", ""}}), "choices: [1] is empty");
  EXPECT_EQ(Refusal({.kind = Kind::kChoices, .choices = {"\xFF"}}),
            "choices: [0]: text is not UTF-8 at byte 0 of 1");
  EXPECT_EQ(Refusal({.kind = Kind::kChoices, .choices = {"a", "b", "c"}}, {.entries = 2}),
            "choices: 3 choices, more than 2 (limit entries)");
  EXPECT_EQ(Refusal({.kind = Kind::kChoices, .choices = {"aa", "bb"}}, {.text_bytes = 3}),
            "choices: 4 bytes, more than 3 (limit text_bytes)");
  EXPECT_EQ(Refusal({.kind = Kind::kChoices, .text = "a", .choices = {"a"}}),
            "choices: has a text, which belongs to json_schema and regex");
  EXPECT_EQ(Refusal({.kind = Kind::kRegex, .text = "a", .choices = {"a"}}),
            "regex: has choices, which belong to kind choices");
}

}  // namespace
}  // namespace shoal
