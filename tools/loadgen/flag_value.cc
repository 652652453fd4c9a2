#include "tools/loadgen/flag_value.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shoal::loadgen {

FlagValue::FlagValue(absl::string_view flag, absl::string_view value)
    : flag_(flag), value_(value), words_(absl::StrSplit(value, ':')) {}

absl::Status FlagValue::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat("--", flag_, "=", value_, ": ", what));
}

absl::Status FlagValue::ExpectForm(absl::string_view form) const {
  const auto colons = static_cast<size_t>(std::count(form.begin(), form.end(), ':'));
  if (words_.size() == colons + 1) return absl::OkStatus();
  return Error(absl::StrCat(words_.size(), " words, expected ", colons + 1, " as in ", form));
}

absl::StatusOr<int64_t> FlagValue::Integer(size_t i, absl::string_view name, int64_t low,
                                           int64_t high) const {
  int64_t number;
  if (!absl::SimpleAtoi(words_[i], &number)) {
    return Error(absl::StrCat(name, " \"", words_[i], "\" is not an integer"));
  }
  if (number >= low && number <= high) return number;
  return Error(absl::StrCat(name, " ", number, " is outside [", low, ", ", high, "]"));
}

absl::StatusOr<double> FlagValue::Number(size_t i, absl::string_view name, double low,
                                         double high) const {
  double number;
  if (!absl::SimpleAtod(words_[i], &number)) {
    return Error(absl::StrCat(name, " \"", words_[i], "\" is not a number"));
  }
  // Written so that NaN is outside.
  if (number >= low && number <= high) return number;
  return Error(absl::StrCat(name, " ", number, " is outside [", low, ", ", high, "]"));
}

}  // namespace shoal::loadgen
