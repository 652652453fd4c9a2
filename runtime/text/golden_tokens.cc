#include "runtime/text/golden_tokens.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/text/json_fields.h"

namespace shoal {
namespace {

constexpr char kV3File[] = "deepseek_v3/tokenizer.json";

const Tokenizer& Kept(absl::string_view json) {
  auto tokenizer = Tokenizer::Parse(json);
  CHECK_OK(tokenizer.status());
  return *std::move(tokenizer).value().release();
}

}  // namespace

std::string TestData(absl::string_view name) {
  auto bytes = ReadTextFile(absl::StrCat("runtime/text/testdata/", name));
  CHECK_OK(bytes.status());
  return *std::move(bytes);
}

const Tokenizer& DeepSeekV3Tokenizer() {
  static const Tokenizer& tokenizer = Kept(TestData(kV3File));
  return tokenizer;
}

const Tokenizer& DeepSeekR1Tokenizer() {
  static const Tokenizer& tokenizer =
      Kept(absl::StrReplaceAll(TestData(kV3File), {{"<｜place▁holder▁no▁798｜>", "<think>"},
                                                   {"<｜place▁holder▁no▁799｜>", "</think>"}}));
  return tokenizer;
}

std::string IdDigest(absl::Span<const TokenId> ids) {
  std::string bytes;
  for (const TokenId id : ids) {
    const auto word = static_cast<uint32_t>(id);
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<char>(word >> shift & 0xFF));
    }
  }
  return HexOf(Sha256Of(bytes)).substr(0, 16);
}

}  // namespace shoal
