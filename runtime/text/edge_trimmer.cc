#include "runtime/text/edge_trimmer.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {

std::string EdgeTrimmer::Push(absl::string_view text) {
  if (dropping_) {
    const size_t first = text.find_first_not_of(characters_);
    if (first == absl::string_view::npos) return "";
    text.remove_prefix(first);
    dropping_ = false;
  }
  const size_t last = text.find_last_not_of(characters_);
  if (last == absl::string_view::npos) {
    absl::StrAppend(&held_, text);
    return "";
  }
  std::string passed = absl::StrCat(held_, text.substr(0, last + 1));
  held_ = std::string(text.substr(last + 1));
  return passed;
}

std::string EdgeTrimmer::End(bool drop) {
  std::string held = std::exchange(held_, "");
  return drop ? "" : held;
}

}  // namespace shoal
