// Dropping a set of characters at the edges of a text that comes in parts.

#ifndef SHOAL_RUNTIME_TEXT_EDGE_TRIMMER_H_
#define SHOAL_RUNTIME_TEXT_EDGE_TRIMMER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

class EdgeTrimmer {
 public:
  // Begins a text. Each of `characters` is ASCII and is held back at the end
  // of what came so far; with `drop_leading` also dropped at the start.
  void Begin(absl::string_view characters, bool drop_leading) {
    characters_ = std::string(characters);
    dropping_ = drop_leading;
    held_.clear();
  }

  // What can be passed on after `text` came.
  std::string Push(absl::string_view text);

  // What was held back; empty with `drop`.
  std::string End(bool drop);

 private:
  std::string characters_;
  bool dropping_ = false;  // nothing but leading characters so far
  std::string held_;       // trailing characters so far
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_EDGE_TRIMMER_H_
