#include "runtime/constraint/program.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/machine.h"
#include "runtime/constraint/text_matcher.h"

namespace shoal {
namespace {

// The rule 1 is called by the whole: S.
Program MakeProgram(ExprPtr rule, const ConstraintLimits& limits = {}) {
  absl::StatusOr<Program> program = Program::Compile({{Call(1), std::move(rule)}}, limits);
  EXPECT_TRUE(program.ok()) << program.status();
  return *std::move(program);
}

std::string RefusalOf(std::vector<ExprPtr> rules, const ConstraintLimits& limits = {}) {
  return std::string(Program::Compile({std::move(rules)}, limits).status().message());
}

std::string Nested(int depth, const std::string& middle) {
  return std::string(depth, '(') + middle + std::string(depth, ')');
}

TEST(Program, RecursesToItsBound) {
  // S = ( S ) | x
  const Program program = MakeProgram(
      Alternate({Concat({Literal("("), Call(1), Literal(")")}), Literal("x")}), {.nesting = 5});
  // The outermost call counts too.
  for (int depth = 0; depth < 5; ++depth) {
    EXPECT_EQ(MatchOf(program, Nested(depth, "x")), Match::kWhole);
  }
  EXPECT_EQ(MatchOf(program, Nested(5, "x")), Match::kNo);
  // Refused where it begins to be too deep, not where it is found to be.
  EXPECT_EQ(MatchOf(program, "(((("), Match::kPrefix);
  EXPECT_EQ(MatchOf(program, "((((("), Match::kNo);
  EXPECT_EQ(MatchOf(program, "((x)))"), Match::kNo);
}

TEST(Program, WhatNeedsRoomInsideIsNotBegunWithoutIt) {
  // S = [ ( S ) , ( S ) ] | { ( T ) } ; T = < S > | y: a brace needs nothing deep
  // since T ends in y; a bracket needs another S.
  const ExprPtr s = Alternate({Concat({Literal("["), Call(1), Literal("]")}),
                               Concat({Literal("{"), Call(2), Literal("}")}), Literal("x")});
  const ExprPtr t = Alternate({Concat({Literal("<"), Call(1), Literal(">")}), Literal("y")});
  absl::StatusOr<Program> program = Program::Compile({{Call(1), s, t}}, {.nesting = 2});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(MatchOf(*program, "{y}"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "{<"), Match::kNo);
  EXPECT_EQ(MatchOf(*program, "[x]"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "[["), Match::kNo);
}

TEST(Program, FollowsAllReadingsAtOnce) {
  // A = a* b called beside C = a* c, and both inside themselves by brackets.
  const ExprPtr a = Repeat(Literal("a"), 0, Expr::kUnbounded);
  const ExprPtr s = Alternate({Call(2), Call(3)});
  const ExprPtr left =
      Alternate({Concat({a, Literal("b")}), Concat({Literal("("), Call(1), Literal(")")})});
  const ExprPtr right = Alternate(
      {Concat({a, Literal("c")}), Concat({Literal("("), Call(1), Literal(")"), Literal("!")})});
  absl::StatusOr<Program> program = Program::Compile({{Call(1), s, left, right}}, {.nesting = 90});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(MatchOf(*program, "aaab"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "aaac"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "((aac)!)"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "((aac))!"), Match::kWhole);
  EXPECT_EQ(MatchOf(*program, "((aac)!!)"), Match::kNo);

  // 2^20 ways to read 20 brackets, in a few threads.
  const Machine machine(*program);
  Configuration at = machine.Start();
  for (int i = 0; i < 20; ++i) at = machine.Step(at, '(');
  EXPECT_LE(at.threads.size(), 8u);
  EXPECT_EQ(MatchOf(*program, Nested(20, "b")), Match::kWhole);
}

TEST(Program, EqualPlacesHaveEqualKeys) {
  const Program program = MakeProgram(Alternate(
      {Concat({Literal("("), Call(1), Repeat(Concat({Literal(","), Call(1)}), 0, Expr::kUnbounded),
               Literal(")")}),
       Literal("x")}));
  const Machine machine(program);
  const auto after = [&](const std::string& text) {
    Configuration at = machine.Start();
    for (const char c : text) at = machine.Step(at, static_cast<uint8_t>(c));
    return at.Key();
  };
  EXPECT_EQ(after("(x"), after("(x,x,x"));
  EXPECT_EQ(after("(x,(x"), after("((x),(x"));
  EXPECT_NE(after("(x"), after("((x"));
  EXPECT_NE(after("(x"), after("(x,"));
  EXPECT_NE(after("x"), after(""));
}

TEST(Program, RefusesWhatHasNoEnd) {
  EXPECT_EQ(RefusalOf({Call(1), Concat({Literal("("), Call(1), Literal(")")})}),
            "no finite text satisfies it");
  EXPECT_EQ(RefusalOf({Call(1), Alternate({Call(1), Literal("x")})}),
            "a reference leads back to itself before anything is written");
  EXPECT_EQ(RefusalOf({Alternate({})}), "no finite text satisfies it");
  EXPECT_EQ(RefusalOf({Call(1), Repeat(Literal("a"), 0, 1)}),
            "a rule that is called matches the empty text");
  // Two nested S at least: S = (S) | [T], T = <S> | x, both recursive.
  const std::vector<ExprPtr> deep = {
      Call(1),
      Alternate({Concat({Literal("("), Call(1), Literal(")")}),
                 Concat({Literal("["), Call(2), Literal("]")})}),
      Alternate({Concat({Literal("<"), Call(1), Literal(">")}), Literal("x")})};
  EXPECT_EQ(RefusalOf(deep, {.nesting = 2}), "");
  EXPECT_EQ(RefusalOf(deep, {.nesting = 1}),
            "its shortest text nests 2 deep, more than 1 (limit nesting)");
}

}  // namespace
}  // namespace shoal
