#include "runtime/text/bpe/window_merge.h"

#include <algorithm>

#include "runtime/text/bpe/merge_loop.h"

namespace shoal {

bool WindowMerge::Run(absl::Span<const TokenId> start, std::vector<TokenId>* ids) {
  const size_t before = ids->size();
  const auto append = [&](size_t count) {
    ids->insert(ids->end(), tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(count));
  };
  for (absl::Span<const TokenId> rest = start; !rest.empty();) {
    const absl::Span<const TokenId> window = rest.subspan(0, window_);
    Merge(window);
    const bool is_last = window.size() == rest.size();
    const size_t kept = is_last ? window.size() : window_ - window_ / 4;
    const auto count =
        static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), kept) - ends_.begin());
    if (count == 0 || (ids->size() > before && !order_.BorderHolds(ids->back(), tokens_[0]))) {
      ids->resize(before);
      return false;
    }
    const size_t block = is_last ? 0 : Block(window, count);
    if (block == 0) {
      append(count);
      rest.remove_prefix(ends_[count - 1]);
      continue;
    }
    const size_t size = ends_[block - 1];
    const auto alike = std::mismatch(rest.begin() + size, rest.end(), rest.begin());
    const auto sure = static_cast<size_t>(alike.first - rest.begin()) - window_ / 4;
    for (size_t i = 0; i < std::max<size_t>(sure / size, 1); ++i) append(block);
    rest.remove_prefix(std::max<size_t>(sure / size, 1) * size);
  }
  return true;
}

void WindowMerge::Merge(absl::Span<const TokenId> window) {
  if (window.size() > ShortMerge::kMax) {
    tokens_.assign(window.begin(), window.end());
    steps_ += LongMerge(table_, &tokens_, &ends_);
    return;
  }
  const ShortMerge merge(table_, window.data(), window.size());
  steps_ += merge.steps();
  tokens_.clear();
  ends_.clear();
  merge.ForEach([this](TokenId token, size_t end) {
    tokens_.push_back(token);
    ends_.push_back(end);
    return true;
  });
}

size_t WindowMerge::Block(absl::Span<const TokenId> window, size_t most) {
  const size_t period = PeriodOf(window);
  if (period > ends_[most - 1]) return 0;
  while (most > 0 && ends_[most - 1] % period != 0) --most;
  return most > 0 && order_.BorderHolds(tokens_[most - 1], tokens_[0]) ? most : 0;
}

size_t WindowMerge::PeriodOf(absl::Span<const TokenId> window) {
  borders_.assign(window.size(), 0);
  size_t border = 0;
  for (size_t i = 1; i < window.size(); ++i) {
    while (border > 0 && window[i] != window[border]) border = borders_[border - 1];
    if (window[i] == window[border]) ++border;
    borders_[i] = border;
  }
  return window.size() - border;
}

}  // namespace shoal
