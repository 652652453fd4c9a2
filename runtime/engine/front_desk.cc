#include "runtime/engine/front_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"

namespace shoal {
FrontDesk::FrontDesk(const EngineOptions& options, const Clock& clock)
    : options_(options), clock_(clock) {
  numbers_.kv_blocks_free = options.kv_blocks;
}

absl::Status FrontDesk::Submit(Request request) {
  MutexLock lock(&mu_);
  if (draining_) return absl::UnavailableError("the engine is draining");
  if (!steppable()) {
    return group_status_.ok() ? absl::UnavailableError("the engine is in no group")
                              : absl::UnavailableError(absl::StrCat("the engine's group broke: ",
                                                                    group_status_.message()));
  }
  if (waiting() >= options_.max_waiting) {
    return absl::ResourceExhaustedError(
        absl::StrCat(waiting(), " generations wait, max_waiting is ", options_.max_waiting));
  }
  if (!live_.insert(request.key).second) {
    return absl::AlreadyExistsError(
        absl::StrCat("generation ", request.key.id, " attempt ", request.key.attempt, " is live"));
  }
  Put(std::move(request));
  return absl::OkStatus();
}

void FrontDesk::AskCancel(const GenerationKey& key) {
  MutexLock lock(&mu_);
  if (live_.contains(key)) Put(Cancel{key});
}

void FrontDesk::AskFailAll(absl::Status error) {
  CHECK(!error.ok());
  MutexLock lock(&mu_);
  if (!live_.empty()) Put(FailAll{std::move(error)});
}

void FrontDesk::Attach(Group group) {
  CHECK(group.comm != nullptr);
  CHECK(group.agreement != nullptr);
  MutexLock lock(&mu_);
  CHECK_EQ(left_number_, group_number_) << "Attach without Detach";
  group_ = std::make_unique<Group>(std::move(group));
  ++group_number_;
  group_status_ = absl::OkStatus();
  work_.Signal();
}

void FrontDesk::Detach(const absl::Status& why) {
  CHECK(!why.ok());
  MutexLock lock(&mu_);
  if (group_ != nullptr) {
    group_->comm->Abort(why);
    group_->agreement->Abort(why);
    leave_ = true;
    work_.Signal();
  }
  const uint64_t mine = group_number_;
  while (left_number_ < mine) left_.Wait(&mu_);
}

void FrontDesk::Drain(absl::Time deadline) {
  MutexLock lock(&mu_);
  draining_ = true;
  while (!live_.empty()) {
    if (clock_.WaitUntil(&ended_, &mu_, deadline)) break;
  }
  if (live_.empty()) return;
  Put(FailAll{absl::UnavailableError("the engine is draining")});
  while (!live_.empty()) ended_.Wait(&mu_);
}

void FrontDesk::Stop() {
  MutexLock lock(&mu_);
  stop_ = true;
  Ring();
}

EngineLoad FrontDesk::load() const {
  MutexLock lock(&mu_);
  EngineLoad load = numbers_;
  load.waiting = waiting();
  load.kv_blocks_total = options_.kv_blocks;
  load.attached = steppable();
  return load;
}

absl::Status FrontDesk::group_status() const {
  MutexLock lock(&mu_);
  return group_status_;
}

FrontDesk::Work FrontDesk::Next(absl::Time deadline) {
  LeaveIfAsked();
  MutexLock lock(&mu_);
  while (!steppable() && !leave_ && !stop_ && inbox_.empty()) {
    if (clock_.WaitUntil(&work_, &mu_, deadline)) break;
  }
  Work work;
  work.commands = std::exchange(inbox_, {});
  work.group = steppable() ? group_.get() : nullptr;
  work.group_number = group_number_;
  work.draining = draining_;
  work.stop = stop_;
  return work;
}

void FrontDesk::LeaveIfAsked() {
  std::unique_ptr<Group> left;
  {
    MutexLock lock(&mu_);
    if (!leave_) return;
    leave_ = false;
    left = std::move(group_);
  }
  left.reset();  // not under the lock: it closes connections
  MutexLock lock(&mu_);
  left_number_ = group_number_;
  left_.SignalAll();
}

void FrontDesk::GroupBroke(const absl::Status& why) {
  CHECK(!why.ok());
  MutexLock lock(&mu_);
  if (!leave_) group_status_ = why;  // a Detach is no accident
}

void FrontDesk::Publish(const EngineLoad& numbers, absl::Span<const GenerationKey> delivered) {
  MutexLock lock(&mu_);
  numbers_ = numbers;
  for (const GenerationKey& key : delivered) live_.erase(key);
  if (!delivered.empty()) ended_.SignalAll();
}

int FrontDesk::waiting() const {
  return std::max(0, static_cast<int>(live_.size()) - numbers_.running);
}

bool FrontDesk::steppable() const { return group_ != nullptr && group_status_.ok() && !leave_; }

void FrontDesk::Put(Command command) {
  inbox_.push_back(std::move(command));
  Ring();
}

void FrontDesk::Ring() {
  work_.Signal();
  if (steppable()) group_->agreement->Wake();
}

}  // namespace shoal
