#ifndef SHOAL_RUNTIME_ENGINE_FRONT_DESK_H_
#define SHOAL_RUNTIME_ENGINE_FRONT_DESK_H_

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/request.h"

namespace shoal {

// Where other threads meet the engine thread: what they ask for lies here until
// the next step, and what they may know of the engine is published here. It
// also keeps the group, because a Detach must be able to abort it while the
// engine thread is inside a pass.
class FrontDesk {
 public:
  struct Cancel {
    GenerationKey key;
  };
  struct FailAll {
    absl::Status error;
  };
  using Command = std::variant<Request, Cancel, FailAll>;

  // What the engine thread is to do next.
  struct Work {
    std::vector<Command> commands;  // in the order they were given
    Group* group = nullptr;         // to step in; null: none, or it is broken
    uint64_t group_number = 0;      // counts Attach calls
    bool draining = false;
    bool stop = false;
  };

  FrontDesk(const EngineOptions& options, const Clock& clock);
  FrontDesk(const FrontDesk&) = delete;
  FrontDesk& operator=(const FrontDesk&) = delete;

  // For every thread but the engine's; as in Engine.
  absl::Status Submit(Request request);
  void AskCancel(const GenerationKey& key);
  void AskFailAll(absl::Status error);
  void Attach(Group group);
  void Detach(const absl::Status& why);
  void Drain(absl::Time deadline);
  void Stop();  // the engine thread's next Work says so
  EngineLoad load() const;
  absl::Status group_status() const;

  // For the engine thread. Leaves the group when a Detach waits for that, then
  // takes the commands. Returns at once with a group to step in, else when
  // there is something to do or `deadline` has passed. The group lives until the
  // next call.
  Work Next(absl::Time deadline);
  // No more steps in this group: why.
  void GroupBroke(const absl::Status& why);
  // `running`, `kv_blocks_free` and `steps` of `numbers` are what load() tells;
  // terminals of `delivered` have been handed to the sink.
  void Publish(const EngineLoad& numbers, absl::Span<const GenerationKey> delivered);

 private:
  int waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool steppable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Put(Command command) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ring() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // the engine thread wakes
  void LeaveIfAsked();

  const EngineOptions options_;
  const Clock& clock_;

  mutable Mutex mu_;
  CondVar work_;   // for the engine thread while it has no group to step in
  CondVar left_;   // a group was left and destroyed
  CondVar ended_;  // a generation was delivered to its end
  std::vector<Command> inbox_ ABSL_GUARDED_BY(mu_);
  // From Submit until its terminal output is with the sink.
  absl::flat_hash_set<GenerationKey> live_ ABSL_GUARDED_BY(mu_);
  EngineLoad numbers_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Group> group_ ABSL_GUARDED_BY(mu_);
  uint64_t group_number_ ABSL_GUARDED_BY(mu_) = 0;  // of the last one attached
  uint64_t left_number_ ABSL_GUARDED_BY(mu_) = 0;   // of the last one destroyed
  absl::Status group_status_ ABSL_GUARDED_BY(mu_);
  bool leave_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_FRONT_DESK_H_
