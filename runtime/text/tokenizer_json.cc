#include "runtime/text/tokenizer_json.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/text/json_fields.h"

namespace shoal {
namespace {

using Json = nlohmann::json;
using TokenIds = absl::flat_hash_map<std::string, TokenId>;

// How far beyond the vocabulary an added token's id may lie: a table of all ids
// is made, and one line of a file must not make it take gigabytes.
constexpr int64_t kMaxGap = 1 << 16;

FieldRules FileRules() {
  return {
      {"version", {"1.0"}},
      {"truncation", {nullptr}},
      {"padding", {nullptr}},
      {"added_tokens", {}},
      {"normalizer", {nullptr, {{"type", "Sequence"}, {"normalizers", Json::array()}}}},
      {"pre_tokenizer", {}},
      {"post_processor", {}},
      {"decoder", {}},
      {"model", {}},
  };
}

FieldRules ModelRules() {
  return {
      {"type", {"BPE"}},
      {"dropout", {nullptr}},
      {"unk_token", {nullptr}},
      {"continuing_subword_prefix", {nullptr, ""}},
      {"end_of_word_suffix", {nullptr, ""}},
      {"fuse_unk", {false}},
      {"byte_fallback", {false}},
      {"ignore_merges", {false}},
      {"vocab", {}},
      {"merges", {}},
  };
}

// A ByteLevel section where only character offsets depend on its flags.
absl::Status CheckByteLevel(const Json& file, const std::string& key) {
  const auto it = file.find(key);
  if (it == file.end() || it->is_null()) return absl::OkStatus();
  return CheckFields(
      *it, key,
      {{"type", {"ByteLevel"}}, {"add_prefix_space", {}}, {"trim_offsets", {}}, {"use_regex", {}}});
}

absl::StatusOr<std::string> ReadSplit(const Json& split, const std::string& where) {
  RETURN_IF_ERROR(CheckFields(
      split, where,
      {{"type", {"Split"}}, {"pattern", {}}, {"behavior", {"Isolated"}}, {"invert", {false}}}));
  ASSIGN_OR_RETURN(const Json* pattern, ObjectField(split, where, "pattern"));
  const std::string pattern_name = absl::StrCat(where, ".pattern");
  RETURN_IF_ERROR(CheckFields(*pattern, pattern_name, {{"Regex", {}}}));
  return StringField(*pattern, pattern_name, "Regex");
}

absl::StatusOr<std::vector<std::string>> ReadSplits(const Json& file) {
  ASSIGN_OR_RETURN(const Json* section, ObjectField(file, "", "pre_tokenizer"));
  RETURN_IF_ERROR(
      CheckFields(*section, "pre_tokenizer", {{"type", {"Sequence"}}, {"pretokenizers", {}}}));
  ASSIGN_OR_RETURN(const Json* sequence, ArrayField(*section, "pre_tokenizer", "pretokenizers"));
  if (sequence->empty()) {
    return absl::InvalidArgumentError("pre_tokenizer.pretokenizers is empty");
  }
  std::vector<std::string> patterns;
  const auto name = [](size_t i) { return absl::StrCat("pre_tokenizer.pretokenizers[", i, "]"); };
  const size_t last = sequence->size() - 1;
  for (size_t i = 0; i < last; ++i) {
    ASSIGN_OR_RETURN(std::string pattern, ReadSplit((*sequence)[i], name(i)));
    patterns.push_back(std::move(pattern));
  }
  RETURN_IF_ERROR(CheckFields((*sequence)[last], name(last),
                              {{"type", {"ByteLevel"}},
                               {"add_prefix_space", {false}},
                               {"trim_offsets", {}},
                               {"use_regex", {false}}}));
  return patterns;
}

std::optional<TokenId> IdBelow(int64_t limit, const Json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() >= static_cast<uint64_t>(limit)) {
    return std::nullopt;
  }
  return value.get<TokenId>();
}

absl::Status NoId(absl::string_view where, const Json& value, int64_t limit) {
  return absl::InvalidArgumentError(
      absl::StrCat(where, " is ", ShownJson(value), ", not an id from 0 to ", limit - 1));
}

// The vocabulary by id. Ids are dense: every one below the count is taken.
absl::StatusOr<std::vector<std::string>> ReadVocab(const Json& model, TokenIds* ids) {
  ASSIGN_OR_RETURN(const Json* vocab, ObjectField(model, "model", "vocab"));
  std::vector<std::string> tokens(vocab->size());
  std::vector<bool> taken(vocab->size());
  ids->reserve(vocab->size());
  const auto count = static_cast<int64_t>(vocab->size());
  const auto where = [](const std::string& token) {
    return absl::StrCat("model.vocab['", Shown(token), "']");
  };
  for (const auto& [token, value] : vocab->items()) {
    const std::optional<TokenId> id = IdBelow(count, value);
    if (!id.has_value()) return NoId(where(token), value, count);
    const auto at = static_cast<size_t>(*id);
    if (taken[at]) {
      return absl::InvalidArgumentError(
          absl::StrCat(where(token), " is ", *id, ", and so is '", Shown(tokens[at]), "'"));
    }
    taken[at] = true;
    tokens[at] = token;
    ids->emplace(token, *id);
  }
  return tokens;
}

// Both ways of writing a pair: "left right" and ["left", "right"].
bool ReadPair(const Json& merge, std::string* left, std::string* right) {
  if (merge.is_array()) {
    if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
      return false;
    }
    *left = merge[0].get<std::string>();
    *right = merge[1].get<std::string>();
    return true;
  }
  if (!merge.is_string()) return false;
  const std::string& both = merge.get_ref<const std::string&>();
  const size_t blank = both.find(' ');
  if (blank == std::string::npos) return false;
  left->assign(both, 0, blank);
  right->assign(both, blank + 1, std::string::npos);
  return true;
}

absl::StatusOr<std::vector<Bpe::MergeRule>> ReadMerges(const Json& model, const TokenIds& ids) {
  ASSIGN_OR_RETURN(const Json* merges, ArrayField(model, "model", "merges"));
  std::vector<Bpe::MergeRule> rules;
  rules.reserve(merges->size());
  std::string left;
  std::string right;
  for (size_t rank = 0; rank < merges->size(); ++rank) {
    const Json& merge = (*merges)[rank];
    if (!ReadPair(merge, &left, &right)) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.merges[", rank, "] is ", ShownJson(merge), ", not a pair"));
    }
    const auto left_id = ids.find(left);
    const auto right_id = ids.find(right);
    const auto merged_id = ids.find(absl::StrCat(left, right));
    if (left_id == ids.end() || right_id == ids.end() || merged_id == ids.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.merges[", rank, "] is ", ShownJson(merge),
                       ": not all of the pair and what it becomes are tokens"));
    }
    rules.push_back({left_id->second, right_id->second, merged_id->second});
  }
  return rules;
}

absl::StatusOr<AddedToken> ReadAddedToken(const Json& token, const std::string& where,
                                          int64_t id_limit) {
  RETURN_IF_ERROR(CheckFields(token, where,
                              {{"id", {}},
                               {"content", {}},
                               {"single_word", {false}},
                               {"lstrip", {false}},
                               {"rstrip", {false}},
                               {"normalized", {false, true}},
                               {"special", {false, true}}}));
  ASSIGN_OR_RETURN(std::string content, StringField(token, where, "content"));
  if (content.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".content is empty"));
  }
  const auto id = token.find("id");
  if (id == token.end()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".id is missing"));
  }
  const std::optional<TokenId> value = IdBelow(id_limit, *id);
  if (!value.has_value()) return NoId(absl::StrCat(where, ".id"), *id, id_limit);
  // Without a normalizer the flag only orders the search.
  const bool special = token.value("special", false);
  return AddedToken{*value, std::move(content), token.value("normalized", !special)};
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& file,
                                                        const std::vector<std::string>& vocab) {
  ASSIGN_OR_RETURN(const Json* list, ArrayField(file, "", "added_tokens"));
  std::vector<AddedToken> tokens;
  absl::flat_hash_set<std::string> contents;
  absl::flat_hash_set<TokenId> ids;
  const int64_t id_limit = static_cast<int64_t>(vocab.size()) + kMaxGap;
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string where = absl::StrCat("added_tokens[", i, "]");
    ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken((*list)[i], where, id_limit));
    const auto id = static_cast<size_t>(token.id);
    if (id < vocab.size() && vocab[id] != token.content) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, " is '", Shown(token.content), "' with id ", token.id,
                       ", which model.vocab gives to '", Shown(vocab[id]), "'"));
    }
    if (!ids.insert(token.id).second || !contents.insert(token.content).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, " repeats the id ", token.id, " or the content '", Shown(token.content), "'"));
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const Json file, ParseStrictJson(bytes, "tokenizer.json"));
  RETURN_IF_ERROR(CheckFields(file, "", FileRules()));
  RETURN_IF_ERROR(CheckByteLevel(file, "post_processor"));
  ASSIGN_OR_RETURN([[maybe_unused]] const Json* decoder, ObjectField(file, "", "decoder"));
  RETURN_IF_ERROR(CheckByteLevel(file, "decoder"));
  TokenizerJson parsed;
  ASSIGN_OR_RETURN(parsed.split_patterns, ReadSplits(file));
  ASSIGN_OR_RETURN(const Json* model, ObjectField(file, "", "model"));
  RETURN_IF_ERROR(CheckFields(*model, "model", ModelRules()));
  TokenIds ids;
  ASSIGN_OR_RETURN(parsed.vocab, ReadVocab(*model, &ids));
  ASSIGN_OR_RETURN(parsed.merges, ReadMerges(*model, ids));
  ASSIGN_OR_RETURN(parsed.added_tokens, ReadAddedTokens(file, parsed.vocab));
  return parsed;
}

}  // namespace shoal
