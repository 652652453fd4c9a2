#include "runtime/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/text/byte_level.h"
#include "runtime/text/json_fields.h"
#include "runtime/text/split_patterns.h"
#include "runtime/text/tokenizer_json.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

// What byte-pair encoding may produce: the vocabulary without added tokens, as
// bytes. A token that is not written in the byte alphabet must be an added one.
absl::StatusOr<std::vector<std::string>> MergeableBytes(const TokenizerJson& file) {
  const ByteAlphabet alphabet;
  std::vector<bool> is_added(file.vocab.size());
  for (const AddedToken& token : file.added_tokens) {
    const auto id = static_cast<size_t>(token.id);
    if (id < is_added.size()) is_added[id] = true;
  }
  std::vector<std::string> bytes(file.vocab.size());
  for (size_t id = 0; id < file.vocab.size(); ++id) {
    if (is_added[id]) continue;
    std::optional<std::string> written = alphabet.Bytes(file.vocab[id]);
    if (!written.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("model.vocab['", Shown(file.vocab[id]), "'] (",
                                                     id,
                                                     ") is neither byte-level nor an added token"));
    }
    bytes[id] = *std::move(written);
  }
  return bytes;
}

std::vector<std::string> WithAddedTokens(std::vector<std::string> token_bytes,
                                         const std::vector<AddedToken>& added_tokens) {
  const ByteAlphabet alphabet;
  for (const AddedToken& token : added_tokens) {
    const auto id = static_cast<size_t>(token.id);
    if (id >= token_bytes.size()) token_bytes.resize(id + 1);
    // Hugging Face decodes an added token through the byte alphabet too.
    token_bytes[id] = alphabet.Bytes(token.content).value_or(token.content);
  }
  return token_bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string json, ReadTextFile(path));
  auto tokenizer = Parse(json);
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), path);
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Parse(absl::string_view json) {
  ASSIGN_OR_RETURN(const TokenizerJson file, ParseTokenizerJson(json));
  ASSIGN_OR_RETURN(std::unique_ptr<const PreTokenizer> pre_tokenizer,
                   CompilePreTokenizer(file.split_patterns));
  ASSIGN_OR_RETURN(std::vector<std::string> bytes, MergeableBytes(file));
  ASSIGN_OR_RETURN(std::unique_ptr<const Bpe> bpe, Bpe::Create(bytes, file.merges));
  return std::unique_ptr<const Tokenizer>(new Tokenizer(std::move(pre_tokenizer), std::move(bpe),
                                                        file.added_tokens, std::move(bytes),
                                                        HexOf(Sha256Of(json))));
}

Tokenizer::Tokenizer(std::unique_ptr<const PreTokenizer> pre_tokenizer,
                     std::unique_ptr<const Bpe> bpe, const std::vector<AddedToken>& added_tokens,
                     std::vector<std::string> token_bytes, std::string digest)
    : pre_tokenizer_(std::move(pre_tokenizer)),
      bpe_(std::move(bpe)),
      added_tokens_(added_tokens),
      digest_(std::move(digest)),
      token_text_(WithAddedTokens(std::move(token_bytes), added_tokens)),
      is_added_(token_text_.size()) {
  for (const AddedToken& token : added_tokens) {
    is_added_[static_cast<size_t>(token.id)] = true;
    added_ids_.emplace(token.content, token.id);
  }
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::Encode(absl::string_view text,
                                                       size_t* merge_steps) const {
  RETURN_IF_ERROR(CheckUtf8(text));
  std::vector<TokenId> ids;
  const size_t steps = AppendIds(text, &ids);
  if (merge_steps != nullptr) *merge_steps = steps;
  return ids;
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::EncodePrompt(
    absl::Span<const PromptPiece> pieces) const {
  std::vector<TokenId> ids;
  std::string text;
  const auto flush_text = [&]() -> absl::Status {
    RETURN_IF_ERROR(CheckUtf8(text));
    AppendIds(text, &ids);
    text.clear();
    return absl::OkStatus();
  };
  for (const PromptPiece& piece : pieces) {
    if (piece.kind == PromptPiece::Kind::kText) {
      text += piece.text;
      continue;
    }
    RETURN_IF_ERROR(flush_text());
    const std::optional<TokenId> id = IdOf(piece.text);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("the prompt needs the token '", piece.text,
                                                     "', which is not among the tokenizer's ",
                                                     added_ids_.size(), " added tokens"));
    }
    ids.push_back(*id);
  }
  RETURN_IF_ERROR(flush_text());
  return ids;
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::EncodeWithAddedTokens(
    absl::string_view text) const {
  RETURN_IF_ERROR(CheckUtf8(text));
  std::vector<TokenId> ids;
  added_tokens_.Split(text, [&](absl::string_view part, std::optional<TokenId> token) {
    if (token.has_value()) {
      ids.push_back(*token);
    } else {
      AppendIds(part, &ids);
    }
  });
  return ids;
}

size_t Tokenizer::AppendIds(absl::string_view checked_text, std::vector<TokenId>* ids) const {
  // Below, hardly any piece comes twice.
  constexpr size_t kMemoPays = 1000;
  std::optional<PieceMemo> memo;
  if (checked_text.size() >= kMemoPays) memo.emplace(checked_text, ids);
  std::array<size_t, 256> ends;
  size_t steps = 0;
  for (size_t at = 0; at < checked_text.size();) {
    const size_t n = pre_tokenizer_->Cut(checked_text, at, absl::MakeSpan(ends));
    steps += bpe_->Encode(checked_text, at, absl::MakeConstSpan(ends.data(), n),
                          memo.has_value() ? &*memo : nullptr, ids);
    at = ends[n - 1];
  }
  return steps;
}

std::optional<TokenId> Tokenizer::IdOf(absl::string_view added_token) const {
  const auto it = added_ids_.find(added_token);
  if (it == added_ids_.end()) return std::nullopt;
  return it->second;
}

bool Tokenizer::IsAdded(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < is_added_.size() &&
         is_added_[static_cast<size_t>(id)];
}

}  // namespace shoal
