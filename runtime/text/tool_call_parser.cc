#include "runtime/text/tool_call_parser.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace shoal {
namespace {

constexpr absl::string_view kFence = "```";
// At the end of the arguments these may belong to the closing fence.
constexpr absl::string_view kFenceCharacters = " \t\r\n`";

}  // namespace

void ToolCallParser::Begin(int index) {
  index_ = index;
  stage_ = Stage::kType;
  pending_.clear();
  is_fenced_ = false;
  is_named_ = false;
}

void ToolCallParser::Separator() {
  if (stage_ == Stage::kType) stage_ = Stage::kName;
}

void ToolCallParser::Push(absl::string_view text, Deltas* deltas) {
  switch (stage_) {
    case Stage::kType:
      return;  // always "function"
    case Stage::kName:
      return PushName(text, deltas);
    case Stage::kFence:
      return PushFence(text, deltas);
    case Stage::kArguments:
      return PushArguments(text, deltas);
  }
}

void ToolCallParser::PushName(absl::string_view text, Deltas* deltas) {
  absl::StrAppend(&pending_, text);
  const size_t newline = pending_.find('\n');
  if (newline == std::string::npos) return;
  const std::string rest = pending_.substr(newline + 1);
  pending_.resize(newline);
  EmitName(deltas);
  stage_ = Stage::kFence;
  PushFence(rest, deltas);
}

// Waits until the start shows whether it is a fence, and where that ends.
void ToolCallParser::PushFence(absl::string_view text, Deltas* deltas) {
  absl::StrAppend(&pending_, text);
  const absl::string_view start = absl::StripLeadingAsciiWhitespace(pending_);
  if (start.empty() || (start.size() < kFence.size() && absl::StartsWith(kFence, start))) {
    return;
  }
  absl::string_view arguments = start;
  is_fenced_ = absl::StartsWith(start, kFence);
  if (is_fenced_) {
    const size_t end = start.find_first_of("\n{[");
    if (end == absl::string_view::npos) return;
    arguments.remove_prefix(start[end] == '\n' ? end + 1 : end);
  }
  const std::string rest(arguments);
  pending_.clear();
  stage_ = Stage::kArguments;
  PushArguments(rest, deltas);
}

void ToolCallParser::PushArguments(absl::string_view text, Deltas* deltas) {
  const size_t last = text.find_last_not_of(kFenceCharacters);
  if (last == absl::string_view::npos) {
    absl::StrAppend(&pending_, text);
    return;
  }
  EmitArguments(absl::StrCat(pending_, text.substr(0, last + 1)), deltas);
  pending_ = std::string(text.substr(last + 1));
}

bool ToolCallParser::End(Deltas* deltas) {
  if (stage_ == Stage::kName) EmitName(deltas);
  if (stage_ == Stage::kArguments && !is_fenced_) {
    EmitArguments(absl::StripTrailingAsciiWhitespace(pending_), deltas);
  } else if (stage_ == Stage::kArguments) {
    absl::string_view tail = absl::StripTrailingAsciiWhitespace(pending_);
    if (!absl::ConsumeSuffix(&tail, kFence)) tail = "";  // cut off within it
    EmitArguments(absl::StripTrailingAsciiWhitespace(tail), deltas);
  }
  pending_.clear();
  return is_named_;
}

void ToolCallParser::EmitName(Deltas* deltas) {
  std::string name(absl::StripAsciiWhitespace(pending_));
  pending_.clear();
  if (name.empty()) return;
  is_named_ = true;
  deltas->push_back({index_, std::move(name), ""});
}

void ToolCallParser::EmitArguments(absl::string_view text, Deltas* deltas) {
  if (text.empty() || !is_named_) return;
  deltas->push_back({index_, "", std::string(text)});
}

}  // namespace shoal
