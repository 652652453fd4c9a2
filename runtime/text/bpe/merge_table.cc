#include "runtime/text/bpe/merge_table.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

bool JoinsUp(absl::string_view left, absl::string_view right, absl::string_view merged) {
  return !left.empty() && !right.empty() && merged.size() == left.size() + right.size() &&
         merged.substr(0, left.size()) == left && merged.substr(left.size()) == right;
}

}  // namespace

absl::StatusOr<MergeTable> MergeTable::Create(const std::vector<std::string>& token_bytes,
                                              const std::vector<Rule>& rules) {
  if (std::max(token_bytes.size(), rules.size()) > kNoRank) {
    return absl::InvalidArgumentError(absl::StrCat("model has ", token_bytes.size(), " tokens and ",
                                                   rules.size(), " merges; at most ", kNoRank));
  }
  const auto bytes_of = [&](TokenId id) -> absl::string_view {
    if (id < 0 || static_cast<size_t>(id) >= token_bytes.size()) return "";
    return token_bytes[static_cast<size_t>(id)];
  };
  MergeTable table;
  table.rules_ = rules;
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    const Rule& rule = rules[rank];
    if (!JoinsUp(bytes_of(rule.left), bytes_of(rule.right), bytes_of(rule.merged))) {
      return absl::InvalidArgumentError(absl::StrCat("model.merges[", rank, "]: tokens ", rule.left,
                                                     " and ", rule.right,
                                                     " do not join up to token ", rule.merged));
    }
    table.merged_.push_back(rule.merged);
  }
  RETURN_IF_ERROR(table.Place());
  return table;
}

absl::Status MergeTable::Place() {
  std::vector<uint64_t> hashes;
  hashes.reserve(rules_.size());
  for (const Rule& rule : rules_) hashes.push_back(Mix(Key(rule.left, rule.right)));
  const std::vector<size_t> slot_of = hash_.Build(hashes);
  slots_.assign(hash_.slots(), kEmpty);
  for (size_t rank = 0; rank < rules_.size(); ++rank) {
    if (slot_of[rank] == PerfectHash::kNowhere) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.merges[", rank, "]: the same pair as merges[",
                       Rank(rules_[rank].left, rules_[rank].right), "]"));
    }
    slots_[slot_of[rank]] = Key(rules_[rank].left, rules_[rank].right) << kBits | rank;
  }
  return absl::OkStatus();
}

}  // namespace shoal
