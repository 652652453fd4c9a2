#include "runtime/constraint/json_grammar.h"

#include <algorithm>

#include "runtime/constraint/byte_set.h"
#include "runtime/constraint/json_text.h"

namespace shoal {

JsonGrammar::JsonGrammar(const ConstraintLimits& limits) : limits_(limits) {
  grammar_.rules.push_back(nullptr);  // the whole
}

int JsonGrammar::NewRule() {
  grammar_.rules.push_back(nullptr);
  return static_cast<int>(grammar_.rules.size()) - 1;
}

ExprPtr JsonGrammar::CallShared(Shared name, absl::FunctionRef<ExprPtr()> make) {
  const auto [at, is_new] = shared_.emplace(name, 0);
  if (is_new) {
    const int rule = at->second = NewRule();
    Define(rule, make());  // which may call it
  }
  return Call(at->second);
}

ExprPtr JsonGrammar::Whitespace() {
  if (limits_.whitespace == 0) return EmptyText();
  return Optional(CallShared(Shared::kWhitespace, [this] {
    ByteSet bytes;
    for (const char c : {' ', '\t', '\n', '\r'}) bytes.Add(c);
    return Repeat(OneOfBytes(bytes), 1, limits_.whitespace);
  }));
}

ExprPtr JsonGrammar::String() {
  return CallShared(Shared::kString,
                    [] { return JsonString(Repeat(AnyJsonCharacter(), 0, Expr::kUnbounded)); });
}

ExprPtr JsonGrammar::Number() {
  return CallShared(Shared::kNumber, [] { return JsonNumber(); });
}

ExprPtr JsonGrammar::Integer() {
  return CallShared(Shared::kInteger,
                    [] { return JsonInteger(-kGreatestJsonInteger, kGreatestJsonInteger); });
}

ExprPtr JsonGrammar::Value() {
  return CallShared(Shared::kValue, [this] {
    return Alternate({String(), Number(), Literal("true"), Literal("false"), Literal("null"),
                      AnyObject(), AnyArray()});
  });
}

ExprPtr JsonGrammar::AnyObject() {
  return Object({{.expr = Pairs(Pair(String(), Value())), .is_required = false}});
}

ExprPtr JsonGrammar::AnyArray() { return Array({}, Value(), 0, Expr::kUnbounded); }

ExprPtr JsonGrammar::Separator() { return Concat({Literal(","), Whitespace()}); }

ExprPtr JsonGrammar::Pair(ExprPtr key, ExprPtr value) {
  return Concat(
      {std::move(key), Whitespace(), Literal(":"), Whitespace(), std::move(value), Whitespace()});
}

ExprPtr JsonGrammar::Pairs(ExprPtr pair) {
  return Concat({pair, Repeat(Concat({Separator(), pair}), 0, Expr::kUnbounded)});
}

ExprPtr JsonGrammar::Object(const std::vector<ExprMember>& pairs) {
  return Concat({Literal("{"), Whitespace(), Members(Separator(), pairs), Literal("}")});
}

// Built from the back: an item stands only behind the one before it.
ExprPtr JsonGrammar::Array(const std::vector<ExprPtr>& first, ExprPtr further, int min, int max) {
  const auto num_first = static_cast<int>(first.size());
  const auto separated = [this](int position, ExprPtr item) {
    std::vector<ExprPtr> parts = {std::move(item), Whitespace()};
    if (position > 0) parts.insert(parts.begin(), Separator());
    return Concat(std::move(parts));
  };
  ExprPtr rest = EmptyText();
  if (further != nullptr && max != 0) {
    const int needed = std::max(0, min);
    if (num_first > 0) {
      rest = Repeat(separated(1, further), needed, max);
    } else {
      const int more = max == Expr::kUnbounded ? max : max - 1;
      rest = Concat(
          {separated(0, further), Repeat(separated(1, further), std::max(0, needed - 1), more)});
      if (needed == 0) rest = Optional(rest);
    }
  }
  for (int i = num_first; i-- > 0;) {
    rest = Concat({separated(i, first[i]), rest});
    if (i >= num_first + min) rest = Optional(rest);
  }
  return Concat({Literal("["), Whitespace(), rest, Literal("]")});
}

Grammar JsonGrammar::Finish(ExprPtr value) && {
  Define(0, Concat({Whitespace(), std::move(value)}));
  return std::move(grammar_);
}

Grammar JsonObjectGrammar(const ConstraintLimits& limits) {
  JsonGrammar json(limits);
  ExprPtr object = json.AnyObject();
  return std::move(json).Finish(std::move(object));
}

}  // namespace shoal
