#include "tools/loadgen/runner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal::loadgen {

namespace {
// Between the run's begin and its first arrival's clock: time to be ready for it.
constexpr absl::Duration kLead = absl::Milliseconds(5);
}  // namespace

Runner::Runner(const Workload& workload,
               const std::vector<std::unique_ptr<v1::Inference::Stub>>& stubs, absl::Duration drain,
               const Clock& clock)
    : workload_(workload), stubs_(stubs), drain_(drain), clock_(clock) {
  CHECK(!stubs_.empty());
}

std::vector<RequestRecord> Runner::Run() {
  StreamHost& host = *this;
  begin_ = clock_.Now() + kLead;
  {
    MutexLock lock(&mu_);
    free_since_.assign(static_cast<size_t>(workload_.spec().arrivals.concurrency), begin_);
  }
  for (int64_t i = 0; !workload_.size().has_value() || i < *workload_.size(); ++i) {
    // Built before its time, so that its time is its own.
    auto stream = std::make_unique<GenerateStream>(workload_, i, clock_, host);
    const std::optional<absl::Time> intended = WaitForTurn(*stream);
    if (!intended.has_value()) break;
    Start(std::move(stream), *intended);
  }
  Drain();
  MutexLock lock(&mu_);
  std::sort(records_.begin(), records_.end(),
            [](const RequestRecord& a, const RequestRecord& b) { return a.index < b.index; });
  return std::move(records_);
}

std::optional<absl::Time> Runner::WaitForTurn(const GenerateStream& stream) {
  if (workload_.spec().arrivals.open_loop()) {
    const absl::Time intended = begin_ + stream.planned().arrival;
    WaitFor([] { return false; }, intended);
    return intended;
  }
  const absl::Duration duration = workload_.spec().duration;
  const absl::Time end =
      duration > absl::ZeroDuration() ? begin_ + duration : absl::InfiniteFuture();
  WaitFor([] { return false; }, begin_);
  const auto free = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !free_since_.empty(); };
  if (!WaitFor(free, end) || clock_.Now() >= end) return std::nullopt;
  MutexLock lock(&mu_);
  const absl::Time since = free_since_.front();
  free_since_.pop_front();
  return since;
}

bool Runner::WaitFor(const std::function<bool()>& done, absl::Time until) {
  MutexLock lock(&mu_);
  while (true) {
    const absl::Time now = clock_.Now();
    WakeDueReaders(now);
    if (done()) return true;
    if (now >= until) return false;
    clock_.WaitUntil(&changed_, &mu_, wakes_.empty() ? until : std::min(until, wakes_.top().first));
  }
}

void Runner::WakeDueReaders(absl::Time now) {
  while (!wakes_.empty() && (given_up_ || wakes_.top().first <= now)) {
    GenerateStream* const stream = wakes_.top().second;
    wakes_.pop();
    // It may end in another thread as soon as it reads, and then wants the lock.
    mu_.Unlock();
    stream->Resume();
    mu_.Lock();
  }
}

void Runner::Start(std::unique_ptr<GenerateStream> stream, absl::Time intended) {
  v1::Inference::Stub& stub = *stubs_[static_cast<size_t>(stream->planned().index) % stubs_.size()];
  GenerateStream* const started = stream.release();  // its call's, then OnEnded()'s
  {
    MutexLock lock(&mu_);
    ++open_;
    live_.insert(started);
  }
  started->Begin(stub, intended);
}

void Runner::Drain() {
  const auto all_ended = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return open_ == 0; };
  if (WaitFor(all_ended, clock_.Now() + drain_)) return;
  {
    MutexLock lock(&mu_);
    given_up_ = true;
    for (GenerateStream* stream : live_) stream->GiveUp();
  }
  WaitFor(all_ended, absl::InfiniteFuture());
}

void Runner::WakeAt(absl::Time when, GenerateStream& stream) {
  MutexLock lock(&mu_);
  wakes_.emplace(when, &stream);
  changed_.Signal();
}

void Runner::OnEnded(std::unique_ptr<GenerateStream> stream) {
  {
    MutexLock lock(&mu_);
    live_.erase(stream.get());
  }
  RequestRecord record = stream->TakeRecord();
  const bool slow = stream->planned().tokens_per_second.has_value();
  stream.reset();  // before the run can end
  if (record.hung && !slow && record.violation.empty()) {
    record.violation =
        absl::StrCat("not ended ", absl::FormatDuration(drain_), " after the last request began");
  }
  MutexLock lock(&mu_);
  if (!workload_.spec().arrivals.open_loop()) free_since_.push_back(record.ended);
  records_.push_back(std::move(record));
  --open_;
  changed_.Signal();
}

}  // namespace shoal::loadgen
