// The tokens of DeepSeek's chat format, by content. Ids are read from the
// loaded tokenizer, never from constants.

#ifndef SHOAL_RUNTIME_TEXT_CHAT_TOKENS_H_
#define SHOAL_RUNTIME_TEXT_CHAT_TOKENS_H_

namespace shoal {

inline constexpr char kUserToken[] = "<｜User｜>";
inline constexpr char kAssistantToken[] = "<｜Assistant｜>";
inline constexpr char kEndOfSentenceToken[] = "<｜end▁of▁sentence｜>";
inline constexpr char kThinkToken[] = "<think>";
inline constexpr char kEndOfThinkToken[] = "</think>";
inline constexpr char kCallsBeginToken[] = "<｜tool▁calls▁begin｜>";
inline constexpr char kCallsEndToken[] = "<｜tool▁calls▁end｜>";
inline constexpr char kCallBeginToken[] = "<｜tool▁call▁begin｜>";
inline constexpr char kCallEndToken[] = "<｜tool▁call▁end｜>";
inline constexpr char kCallSeparatorToken[] = "<｜tool▁sep｜>";
inline constexpr char kOutputsBeginToken[] = "<｜tool▁outputs▁begin｜>";
inline constexpr char kOutputsEndToken[] = "<｜tool▁outputs▁end｜>";
inline constexpr char kOutputBeginToken[] = "<｜tool▁output▁begin｜>";
inline constexpr char kOutputEndToken[] = "<｜tool▁output▁end｜>";

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_CHAT_TOKENS_H_
