#include "runtime/sampling/logit_row.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

}  // namespace

absl::Status LogitRow::Reset(absl::Span<const float> logits, const LogitKernels& kernels) {
  if (logits.empty() || static_cast<int64_t>(logits.size()) > kMaxVocab) {
    return absl::InternalError(
        absl::StrCat("a row of ", logits.size(), " logits, it must have 1 to ", kMaxVocab));
  }
  size_ = logits.size();
  logits_ = logits.data();
  const size_t whole = size_ / kBlockLogits, count = (size_ + kBlockLogits - 1) / kBlockLogits;
  blocks_.resize(count);
  block_max_.resize(count);
  copies_.resize(count * kBlockLogits);
  stale_.assign(count, false);
  edited_.clear();
  edited_.reserve(count);
  for (size_t b = 0; b < whole; ++b) blocks_[b] = logits_ + b * kBlockLogits;
  bool numbers = kernels.scan(logits_, whole, block_max_.data());
  if (whole < count) {
    float* last = &copies_[whole * kBlockLogits];
    std::fill(std::copy(logits.begin() + whole * kBlockLogits, logits.end(), last),
              last + kBlockLogits, kImpossible);
    blocks_[whole] = last;
    numbers &= kernels.scan(last, 1, &block_max_[whole]);
  }
  if (!numbers) return absl::InternalError("the model computed a logit that is no number");
  FindMax();
  if (max_ == kImpossible) {
    return absl::InternalError(absl::StrCat("none of the ", size_, " tokens is possible"));
  }
  return absl::OkStatus();
}

float* LogitRow::Own(size_t block) {
  float* copy = &copies_[block * kBlockLogits];
  if (blocks_[block] != copy) {
    std::copy_n(blocks_[block], kBlockLogits, copy);
    blocks_[block] = copy;
  }
  if (!stale_[block]) {
    stale_[block] = true;
    edited_.push_back(block);
  }
  return copy;
}

void LogitRow::Set(TokenId id, float logit) {
  DCHECK(id >= 0 && static_cast<size_t>(id) < size_);
  Own(id / kBlockLogits)[id % kBlockLogits] = logit;
}

void LogitRow::Restrict(absl::Span<const uint64_t> allowed, const LogitKernels& kernels) {
  CHECK_GE(allowed.size(), blocks_.size());
  for (size_t b = 0; b < blocks_.size(); ++b) {
    if (allowed[b] == ~uint64_t{0}) continue;
    kernels.mask_block(Own(b), allowed[b]);
  }
}

bool LogitRow::Refresh(const LogitKernels& kernels) {
  bool numbers = true;
  for (size_t block : edited_) {
    numbers &= kernels.scan(blocks_[block], 1, &block_max_[block]);
    stale_[block] = false;
  }
  edited_.clear();
  FindMax();
  return numbers;
}

void LogitRow::FindMax() {
  max_ = kImpossible;
  for (float m : block_max_) max_ = m > max_ ? m : max_;
}

TokenId LogitRow::FirstMax() const {
  size_t b = 0;
  while (block_max_[b] != max_) ++b;
  size_t i = 0;
  while (blocks_[b][i] != max_) ++i;
  return static_cast<TokenId>(b * kBlockLogits + i);
}

}  // namespace shoal
