// A prompt before it is ids: which words are the template's, which the user's.

#ifndef SHOAL_RUNTIME_TEXT_PROMPT_PIECE_H_
#define SHOAL_RUNTIME_TEXT_PROMPT_PIECE_H_

#include <string>

namespace shoal {

struct PromptPiece {
  enum class Kind {
    kToken,  // `text` names an added token and becomes its one id
    kText,   // `text` is untrusted and stays text whatever it says
  };
  Kind kind;
  std::string text;

  friend bool operator==(const PromptPiece&, const PromptPiece&) = default;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_PROMPT_PIECE_H_
