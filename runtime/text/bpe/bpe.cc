#include "runtime/text/bpe/bpe.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/text/bpe/merge_loop.h"
#include "runtime/text/bpe/window_merge.h"

namespace shoal {
namespace {

constexpr size_t kShortWindow = 32;
// For pieces whose tokens are too long for short windows, such as blanks.
constexpr size_t kLongWindow = 1024;

absl::Status CheckBytesHaveTokens(const std::vector<std::string>& token_bytes) {
  std::array<bool, 256> has_token{};
  for (const std::string& bytes : token_bytes) {
    if (bytes.size() == 1) has_token[static_cast<unsigned char>(bytes[0])] = true;
  }
  for (size_t byte = 0; byte < has_token.size(); ++byte) {
    if (!has_token[byte]) {
      return absl::InvalidArgumentError(absl::StrCat("model.vocab: no token for byte ", byte));
    }
  }
  return absl::OkStatus();
}

std::vector<std::pair<std::string, TokenId>> WordsOf(const std::vector<std::string>& token_bytes,
                                                     const MergeTable& table,
                                                     const MergeOrder& order,
                                                     const ClosedCharacters& characters) {
  std::vector<std::pair<std::string, TokenId>> words;
  std::vector<bool> reachable(token_bytes.size());
  const auto find = [&](TokenId token) {
    const std::string& bytes = token_bytes[static_cast<size_t>(token)];
    if (order.well_founded() && bytes.size() > 1) {
      if (order.MadeBy(token) < 0) return false;
      const MergeTable::Rule& rule = table.rules()[static_cast<size_t>(order.MadeBy(token))];
      return reachable[static_cast<size_t>(rule.left)] &&
             reachable[static_cast<size_t>(rule.right)] && order.IsReachable(token);
    }
    std::vector<TokenId> ids;
    characters.AppendBytes(bytes, &ids);
    LongMerge(table, &ids);
    return ids.size() == 1 && ids[0] == token;
  };
  const auto add = [&](TokenId token) {
    if (reachable[static_cast<size_t>(token)] || !find(token)) return;
    reachable[static_cast<size_t>(token)] = true;
    words.emplace_back(token_bytes[static_cast<size_t>(token)], token);
  };
  // Parts before what they make.
  for (size_t id = 0; id < token_bytes.size(); ++id) {
    if (token_bytes[id].size() == 1) add(static_cast<TokenId>(id));
  }
  for (const MergeTable::Rule& rule : table.rules()) add(rule.merged);
  return words;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::Create(const std::vector<std::string>& token_bytes,
                                                       const std::vector<MergeRule>& rules) {
  RETURN_IF_ERROR(CheckBytesHaveTokens(token_bytes));
  ASSIGN_OR_RETURN(MergeTable table, MergeTable::Create(token_bytes, rules));
  return std::unique_ptr<const Bpe>(new Bpe(token_bytes, std::move(table)));
}

Bpe::Bpe(const std::vector<std::string>& token_bytes, MergeTable table)
    : table_(std::move(table)),
      order_(table_, token_bytes.size()),
      characters_(token_bytes, table_, order_),
      words_(WordsOf(token_bytes, table_, order_, characters_)) {}

size_t Bpe::Encode(absl::string_view text, size_t begin, absl::Span<const size_t> ends,
                   PieceMemo* memo, std::vector<TokenId>* ids) const {
  // The slots of many words are fetched before the first is looked at.
  constexpr size_t kBatch = 32;
  struct Search {
    WordKey key;
    size_t slot;
  };
  std::array<Search, kBatch> searches;
  size_t steps = 0;
  while (!ends.empty()) {
    const absl::Span<const size_t> batch = ends.subspan(0, kBatch);
    size_t p = begin;
    for (size_t i = 0; i < batch.size(); p = batch[i++]) {
      const size_t size = batch[i] - p;
      if (size > WordKey::kMaxInline) continue;
      searches[i].key = p + 16 <= text.size() ? WordKey::Of(text.data() + p, size)
                                              : WordKey::Of(text.substr(p, size));
      searches[i].slot = words_.SlotOf(searches[i].key);
      words_.Prefetch(searches[i].slot);
    }
    for (size_t i = 0; i < batch.size(); begin = batch[i++]) {
      const absl::string_view piece = text.substr(begin, batch[i] - begin);
      const TokenId word = piece.size() <= WordKey::kMaxInline
                               ? words_.Find(searches[i].key, searches[i].slot)
                               : words_.Find(piece);
      const auto merge = [&] { return Merge(piece, ids); };
      if (word >= 0) {
        ids->push_back(word);
      } else {
        steps += memo != nullptr ? memo->Append(begin, piece.size(), merge) : merge();
      }
    }
    ends.remove_prefix(batch.size());
  }
  return steps;
}

size_t Bpe::Merge(absl::string_view piece, std::vector<TokenId>* ids) const {
  if (piece.size() <= ShortMerge::kMax) {
    std::array<TokenId, ShortMerge::kMax> start;
    const ShortMerge merge(table_, start.data(), characters_.Start(piece, start.data()));
    merge.ForEach([ids](TokenId token, size_t) {
      ids->push_back(token);
      return true;
    });
    return merge.steps();
  }
  std::vector<TokenId> start;
  characters_.AppendStart(piece, &start);
  size_t steps = 0;
  if (order_.well_founded()) {
    for (const size_t window : {kShortWindow, kLongWindow}) {
      WindowMerge merge(table_, order_, window);
      const bool done = merge.Run(start, ids);
      steps += merge.steps();
      if (done) return steps;
    }
  }
  steps += LongMerge(table_, &start);
  ids->insert(ids->end(), start.begin(), start.end());
  return steps;
}

}  // namespace shoal
