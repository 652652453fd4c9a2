#include "runtime/sampling/history.h"

namespace shoal {
namespace {

constexpr uint32_t kSeen = 0x80000000;  // in the prompt or the output

}  // namespace

void HistoryPenalties::Count(absl::Span<const TokenId> ids, bool output) {
  for (TokenId id : ids) {
    uint32_t& count = counts_[id];
    if (count == 0) {
      distinct_.push_back(id);
      count = kSeen;
    }
    count += output ? 1 : 0;
  }
}

void HistoryPenalties::Apply(const SamplingOptions& options, absl::Span<const TokenId> prompt,
                             absl::Span<const TokenId> output, LogitRow& row) {
  const float repetition = options.repetition_penalty, frequency = options.frequency_penalty,
              presence = options.presence_penalty;
  if (repetition == 1 && frequency == 0 && presence == 0) return;
  if (counts_.size() < row.size()) {
    counts_.resize(row.size());
    distinct_.reserve(row.size());
  }
  if (repetition != 1) Count(prompt, false);
  Count(output, true);
  for (TokenId id : distinct_) {
    float logit = row.Get(id);
    logit = logit < 0 ? logit * repetition : logit / repetition;
    if (const uint32_t count = counts_[id] & ~kSeen; count > 0) {
      logit -= frequency * static_cast<float>(count);
      logit -= presence;
    }
    row.Set(id, logit);
    counts_[id] = 0;
  }
  distinct_.clear();
}

}  // namespace shoal
