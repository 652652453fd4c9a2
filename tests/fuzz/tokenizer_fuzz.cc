// Input: a tokenizer.json.
//
// Accepted means: any text becomes ids that stand for the same bytes, none of them an added token.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutator.h"

namespace shoal {
namespace {

void CheckRoundTrip(const Tokenizer& tokenizer, absl::string_view text) {
  const auto ids = tokenizer.Encode(text);
  if (!ids.ok()) {
    CHECK(ids.status().code() == absl::StatusCode::kInvalidArgument);
    return;
  }
  CHECK_LE(ids->size(), text.size());
  std::string decoded;
  for (const TokenId id : *ids) {
    CHECK(id >= 0 && static_cast<size_t>(id) < tokenizer.vocab_size());
    CHECK(!tokenizer.IsAdded(id));
    absl::StrAppend(&decoded, tokenizer.TokenBytes(id));
  }
  CHECK(decoded == text);
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = shoal::Tokenizer::Parse(json);
  if (!tokenizer.ok()) {
    shoal::fuzz::CheckRefusal(tokenizer.status(), "");
    return 0;
  }
  shoal::CheckRoundTrip(**tokenizer, "");
  shoal::CheckRoundTrip(**tokenizer,
                        "hi, hihi 1234 \xe4\xbd\xa0\xe5\xa5\xbd\r\n\t <think>\xf0\x9f\x90\x9f");
  shoal::CheckRoundTrip(**tokenizer, json.substr(0, 200));
  shoal::CheckRoundTrip(**tokenizer, json.substr(json.size() - json.size() / 8));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return shoal::fuzz::MutateInput(data, size, max_size, seed);
}
