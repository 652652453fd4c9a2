#include "runtime/text/added_tokens.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace shoal {

AddedTokenMatcher::AddedTokenMatcher(const std::vector<AddedToken>& tokens) {
  for (const AddedToken& token : tokens) {
    Pass& pass = token.normalized ? normalized_ : raw_;
    pass[static_cast<unsigned char>(token.content[0])].push_back(token);
  }
  for (Pass* pass : {&raw_, &normalized_}) {
    for (std::vector<AddedToken>& same_first_byte : *pass) {
      std::stable_sort(same_first_byte.begin(), same_first_byte.end(),
                       [](const AddedToken& a, const AddedToken& b) {
                         return a.content.size() > b.content.size();
                       });
    }
  }
}

void AddedTokenMatcher::Split(absl::string_view text, Sink part) const {
  SplitOnce(raw_, text, [&](absl::string_view view, std::optional<TokenId> token) {
    if (token.has_value()) {
      part(view, token);
    } else {
      SplitOnce(normalized_, view, part);
    }
  });
}

const AddedToken* AddedTokenMatcher::MatchAt(const Pass& pass, absl::string_view text) {
  for (const AddedToken& token : pass[static_cast<unsigned char>(text[0])]) {
    if (absl::StartsWith(text, token.content)) return &token;
  }
  return nullptr;
}

void AddedTokenMatcher::SplitOnce(const Pass& pass, absl::string_view text, Sink part) {
  size_t gap = 0;
  size_t at = 0;
  while (at < text.size()) {
    const AddedToken* token = MatchAt(pass, text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    if (gap < at) part(text.substr(gap, at - gap), std::nullopt);
    part(text.substr(at, token->content.size()), token->id);
    gap = at = at + token->content.size();
  }
  if (gap < at) part(text.substr(gap), std::nullopt);
}

}  // namespace shoal
