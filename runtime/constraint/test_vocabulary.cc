#include "runtime/constraint/test_vocabulary.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "runtime/base/check.h"

namespace shoal {

std::shared_ptr<const Vocabulary> TestVocabulary() {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  tokens.resize(258);  // kTestEnd and kTestEndOfThink stand for no bytes
  for (const char* token : {"{\"",      "\":",      "\": ",     "\": \"",   "\",",
                            "\", \"",   "\"}",      "\"]",      "\"}}",     "}}",
                            "]]",       "]}",       "}]",       "[[",       "[[[",
                            "[[[[",     "[{",       "{\"a\"",   "{\"a\":",  "{}",
                            "[]",       "[\"",      "[1",       "\":{",     "\":[",
                            "\":{\"",   "},",       "},{",      "},{\"",    "1,",
                            ",1",       ", 1",      "0.",       ".5",       "e+",
                            "-1",       "null",     "null,",    "true",     "false}",
                            "true]",    "  ",       "    ",     "\n  ",     "\n\n",
                            ",\n  \"",  "a\"",      "b\":",     "\"a\"",    "\"b\":",
                            "\"c",      "name",     "kind",     "abc",      "aa",
                            "aab",      "\\n",      "\\u",      "\\u00",    "\\\"",
                            "d8",       "\xC3\xA9", "\xE2\x82", "\x82\xAC", "\xE2\x82\xAC\"",
                            "\xF0\x9F", "\x98\x80", "\xA9\"",   "null",     "[[",
                            "\xFF\xFE", "\xED\xA0"}) {
    tokens.emplace_back(token);
  }
  for (int n = 0; n < 100; ++n) tokens.push_back(absl::StrCat(n < 10 ? "0" : "", n));
  const std::vector<absl::string_view> bytes(tokens.begin(), tokens.end());
  auto vocabulary = Vocabulary::Create(bytes, {kTestEnd});
  CHECK_OK(vocabulary.status());
  return *std::move(vocabulary);
}

}  // namespace shoal
