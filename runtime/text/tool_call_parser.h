// One tool call in DeepSeek's text form:
//
//   <call begin> TYPE <sep> NAME \n```json\n ARGUMENTS \n``` <call end>

#ifndef SHOAL_RUNTIME_TEXT_TOOL_CALL_PARSER_H_
#define SHOAL_RUNTIME_TEXT_TOOL_CALL_PARSER_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

// The first delta of a call has its whole name and no arguments; each further
// one has a part of the arguments and no name.
struct ToolCallDelta {
  int index;  // 0, 1, ... within the output
  std::string name;
  std::string arguments;
  friend bool operator==(const ToolCallDelta&, const ToolCallDelta&) = default;
};

// Fed with the text between the markers. The fence around the arguments is
// taken off, also if the model leaves out one of its newlines, and the
// arguments may stand without a fence; they are not parsed as JSON.
class ToolCallParser {
 public:
  using Deltas = std::vector<ToolCallDelta>;

  void Begin(int index);
  void Separator();  // the marker between type and name
  void Push(absl::string_view text, Deltas* deltas);

  // The call is over: by its end marker, or because the output ended. False if
  // it had no name, and so gave no delta.
  bool End(Deltas* deltas);

 private:
  enum class Stage { kType, kName, kFence, kArguments };

  void PushName(absl::string_view text, Deltas* deltas);
  void PushFence(absl::string_view text, Deltas* deltas);
  void PushArguments(absl::string_view text, Deltas* deltas);
  void EmitName(Deltas* deltas);
  void EmitArguments(absl::string_view text, Deltas* deltas);

  int index_ = 0;
  Stage stage_ = Stage::kType;
  std::string pending_;  // of the stage: what cannot be decided yet
  bool is_fenced_ = false;
  bool is_named_ = false;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOOL_CALL_PARSER_H_
