// Tokens that stand beside the vocabulary: turn markers, tool markers, the
// beginning and the end of a text.

#ifndef SHOAL_RUNTIME_TEXT_ADDED_TOKENS_H_
#define SHOAL_RUNTIME_TEXT_ADDED_TOKENS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"

namespace shoal {

struct AddedToken {
  TokenId id;
  std::string content;
  // Looked for only in what the tokens without this flag have left over.
  bool normalized;
};

// Finds added tokens in trusted text, as Hugging Face's default encoding does.
// Untrusted text never comes here.
class AddedTokenMatcher {
 public:
  explicit AddedTokenMatcher(const std::vector<AddedToken>& tokens);

  // Cuts `text` at its added tokens: calls `part` with consecutive, non-empty
  // views that together are `text`, and the id of the token that a view is, or
  // nullopt for the text between. Of tokens that start at one place the
  // longest wins.
  using Sink = absl::FunctionRef<void(absl::string_view, std::optional<TokenId>)>;
  void Split(absl::string_view text, Sink part) const;

 private:
  // The tokens of one pass by first byte, longest first.
  using Pass = std::array<std::vector<AddedToken>, 256>;

  static const AddedToken* MatchAt(const Pass& pass, absl::string_view text);
  static void SplitOnce(const Pass& pass, absl::string_view text, Sink part);

  Pass raw_;         // normalized == false
  Pass normalized_;  // normalized == true
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_ADDED_TOKENS_H_
