#ifndef SHOAL_RUNTIME_ENGINE_TESTING_STREAM_CHECKER_H_
#define SHOAL_RUNTIME_ENGINE_TESTING_STREAM_CHECKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/mutex.h"
#include "runtime/engine/request.h"

namespace shoal {

// A sink that keeps every stream and holds it to law 5 at the engine's level:
// positions from the end of what was known, no gap, no duplicate; exactly one
// terminal, and nothing after it. Safe from any thread.
class StreamChecker final : public StepSink {
 public:
  struct Stream {
    int64_t next = 0;  // position of the next token
    std::vector<TokenId> ids;
    bool ended = false;
    bool finished = false;
    FinishReason reason = FinishReason::kStop;
    absl::Status error;
  };

  // Call before Submit.
  void Expect(const Request& request) {
    MutexLock lock(&mu_);
    streams_[request.key].next =
        static_cast<int64_t>(request.prompt.size() + request.emitted.size());
  }

  void OnStep(uint64_t step, std::vector<StepOutput> outputs) override {
    MutexLock lock(&mu_);
    if (step < last_step_) violations_.push_back("the step count went back");
    last_step_ = step;
    for (const StepOutput& output : outputs) Take(output);
    changed_.SignalAll();
  }

  Stream WaitForEnd(const GenerationKey& key) {
    MutexLock lock(&mu_);
    while (!streams_[key].ended) changed_.Wait(&mu_);
    return streams_[key];
  }

  // Until `count` tokens have come, over all streams.
  void WaitForTokens(int64_t count) {
    MutexLock lock(&mu_);
    while (tokens_ < count) changed_.Wait(&mu_);
  }

  int64_t tokens() const {
    MutexLock lock(&mu_);
    return tokens_;
  }

  std::vector<std::string> violations() const {
    MutexLock lock(&mu_);
    return violations_;
  }

 private:
  void Take(const StepOutput& output) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto it = streams_.find(output.key);
    if (it == streams_.end()) {
      violations_.push_back("output of an unknown generation");
      return;
    }
    Stream& stream = it->second;
    if (stream.ended) violations_.push_back("output after the terminal one");
    if (output.position != stream.next) {
      violations_.push_back(
          absl::StrCat("position ", output.position, " where ", stream.next, " was due"));
    }
    stream.next = output.position + static_cast<int64_t>(output.ids.size());
    stream.ids.insert(stream.ids.end(), output.ids.begin(), output.ids.end());
    tokens_ += static_cast<int64_t>(output.ids.size());
    if (output.finished && !output.error.ok()) {
      violations_.push_back("finished and failed at once");
    }
    stream.ended = output.finished || !output.error.ok();
    stream.finished = output.finished;
    stream.reason = output.reason;
    stream.error = output.error;
    if (!stream.ended && output.ids.empty()) violations_.push_back("an empty output");
  }

  mutable Mutex mu_;
  CondVar changed_;
  absl::flat_hash_map<GenerationKey, Stream> streams_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mu_);
  int64_t tokens_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_step_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_TESTING_STREAM_CHECKER_H_
