// A conversation, as the public API states it and a chat template reads it.

#ifndef SHOAL_RUNTIME_TEXT_CHAT_MESSAGE_H_
#define SHOAL_RUNTIME_TEXT_CHAT_MESSAGE_H_

#include <optional>
#include <string>
#include <vector>

namespace shoal {

enum class ChatRole { kSystem, kUser, kAssistant, kTool };

// A call that an earlier assistant turn made. All of it is untrusted text.
struct ChatToolCall {
  std::string type = "function";
  std::string name;
  std::string arguments;  // JSON, not parsed here
};

struct ChatMessage {
  ChatRole role;
  // Absent only in an assistant turn that does nothing but call tools.
  std::optional<std::string> content;
  std::vector<ChatToolCall> tool_calls;  // of an assistant turn
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_CHAT_MESSAGE_H_
