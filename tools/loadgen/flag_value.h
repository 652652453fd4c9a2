// A flag's value in parts: "lognormal:200:0.8:2000".

#ifndef SHOAL_TOOLS_LOADGEN_FLAG_VALUE_H_
#define SHOAL_TOOLS_LOADGEN_FLAG_VALUE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::loadgen {

// Colon-separated words of one flag. Every error is INVALID_ARGUMENT and reads
// "--flag=value: what is wrong", with the word and its bound.
class FlagValue {
 public:
  FlagValue(absl::string_view flag, absl::string_view value);

  const std::string& text() const { return value_; }
  const std::string& word(size_t i) const { return words_[i]; }

  absl::Status Error(absl::string_view what) const;
  // That there are `form`'s words: the form is "fixed:N" or the like.
  absl::Status ExpectForm(absl::string_view form) const;
  // Word `i`, in [low, high]. `name` is what the form calls it. REQUIRES: the word is there.
  absl::StatusOr<int64_t> Integer(size_t i, absl::string_view name, int64_t low,
                                  int64_t high) const;
  absl::StatusOr<double> Number(size_t i, absl::string_view name, double low, double high) const;

 private:
  const std::string flag_, value_;
  const std::vector<std::string> words_;
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_FLAG_VALUE_H_
