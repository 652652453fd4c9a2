#include "runtime/constraint/code_points.h"

#include <algorithm>

namespace shoal {
namespace {

constexpr uint32_t kSurrogateFirst = 0xD800, kSurrogateLast = 0xDFFF, kLast = 0x10FFFF;

}  // namespace

CodePoints CodePoints::All() { return Of(0, kLast); }

CodePoints CodePoints::Of(uint32_t first, uint32_t last) {
  CodePoints set;
  last = std::min(last, kLast);
  if (first < kSurrogateFirst && first <= last) {
    set.ranges_.push_back({first, std::min(last, kSurrogateFirst - 1)});
  }
  if (last > kSurrogateLast && first <= last) {
    set.ranges_.push_back({std::max(first, kSurrogateLast + 1), last});
  }
  return set;
}

void CodePoints::Add(const CodePoints& other) {
  std::vector<Range> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) {
    return a.first != b.first ? a.first < b.first : a.last < b.last;
  });
  ranges_.clear();
  for (const Range& range : all) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CodePoints CodePoints::Complement() const {
  CodePoints rest;
  uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) rest.Add(Of(next, range.first - 1));
    next = range.last + 1;
  }
  if (next <= kLast) rest.Add(Of(next, kLast));
  return rest;
}

CodePoints CodePoints::Minus(const CodePoints& other) const { return And(other.Complement()); }

CodePoints CodePoints::And(const CodePoints& other) const {
  CodePoints both;
  size_t j = 0;
  for (const Range& a : ranges_) {
    while (j < other.ranges_.size() && other.ranges_[j].last < a.first) ++j;
    for (size_t k = j; k < other.ranges_.size() && other.ranges_[k].first <= a.last; ++k) {
      both.Add(
          Of(std::max(a.first, other.ranges_[k].first), std::min(a.last, other.ranges_[k].last)));
    }
  }
  return both;
}

bool CodePoints::Has(uint32_t code_point) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [code_point](const Range& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

}  // namespace shoal
