#include "tests/sim/fibers.h"

#include <dlfcn.h>
#include <pthread.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/base/check.h"

namespace shoal {

namespace {

constexpr size_t kStackBytes = 256 * 1024;

Fibers* active = nullptr;    // set while Run() runs
Fibers* in_fiber = nullptr;  // set while a fiber does
std::vector<std::unique_ptr<std::byte[]>> spare_stacks;

}  // namespace

Fibers::Fibers(Pick pick, bool preempt) : pick_(std::move(pick)), preempt_(preempt) {}

Fibers::~Fibers() {
  for (const auto& fiber : fibers_) {
    if (fiber->ended && fiber->stack) spare_stacks.push_back(std::move(fiber->stack));
  }
}

Fibers* Fibers::Active() { return in_fiber; }

int Fibers::Spawn(std::function<void()> body) {
  auto fiber = std::make_unique<Fiber>();
  fiber->body = std::move(body);
  if (!spare_stacks.empty()) {
    fiber->stack = std::move(spare_stacks.back());
    spare_stacks.pop_back();
  } else {
    fiber->stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  }
  fibers_.push_back(std::move(fiber));
  able_.push_back(static_cast<int>(fibers_.size() - 1));
  return able_.back();
}

bool Fibers::Run() {
  CHECK(active == nullptr) << "fibers run inside fibers";
  active = this;
  while (!able_.empty() || PassTime()) {
    current_ = Choose();
    ++switches_;
    Resume(current_);
    last_ = std::exchange(current_, -1);
  }
  active = nullptr;
  return std::all_of(fibers_.begin(), fibers_.end(), [](const auto& f) { return f->ended; });
}

int Fibers::Choose() {
  size_t at = 0;
  const auto last = std::find(able_.begin(), able_.end(), last_);
  const bool last_is_able = last != able_.end();
  if (last_is_able) std::rotate(able_.begin(), last, last + 1);
  if (able_.size() > 1) at = pick_(able_, last_is_able);
  CHECK_LT(at, able_.size());
  const int chosen = able_[at];
  able_.erase(able_.begin() + static_cast<std::ptrdiff_t>(at));
  return chosen;
}

// The first entry of a fiber; it ends by going home for good.
void Fibers::Enter() {
  Fibers& self = *active;
  Fiber& me = *self.fibers_[self.current_];
  me.body();
  me.body = nullptr;
  me.ended = true;
  self.WakeAll(&me);
  in_fiber = nullptr;
  _longjmp(self.home_, 1);
}

void Fibers::Resume(int fiber) {
  Fiber& next = *fibers_[fiber];
  if (_setjmp(home_) != 0) return;
  in_fiber = this;
  if (next.started) _longjmp(next.context, 1);
  next.started = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = next.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, &Fibers::Enter, 0);
  setcontext(&context);
}

void Fibers::Suspend() {
  Fiber& me = *fibers_[current_];
  in_fiber = nullptr;
  if (_setjmp(me.context) == 0) _longjmp(home_, 1);
}

void Fibers::Block(const void* what) {
  Fiber& me = *fibers_[current_];
  me.able = false;
  me.waits_on = what;
  if (what != nullptr) waiting_[what].push_back(current_);
  Suspend();
  me.deadline = absl::InfiniteFuture();
}

void Fibers::MakeAble(int fiber) {
  Fiber& f = *fibers_[fiber];
  if (f.able) return;
  f.able = true;
  if (f.waits_on != nullptr) {
    const auto it = waiting_.find(f.waits_on);
    std::erase(it->second, fiber);
    if (it->second.empty()) waiting_.erase(it);
    f.waits_on = nullptr;
  }
  able_.push_back(fiber);
}

bool Fibers::PassTime() {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& f : fibers_) {
    if (!f->ended && !f->able) next = std::min(next, f->deadline);
  }
  if (next == absl::InfiniteFuture()) return false;
  now_ = std::max(now_, next);
  for (size_t i = 0; i < fibers_.size(); ++i) {
    if (!fibers_[i]->ended && fibers_[i]->deadline <= now_) MakeAble(static_cast<int>(i));
  }
  return true;
}

void Fibers::SleepUntil(absl::Time when) {
  SetDeadline(when);
  Block(nullptr);
}

void Fibers::SetDeadline(absl::Time deadline) { fibers_[current_]->deadline = deadline; }

void Fibers::BeforeLock() {
  if (!preempt_) return;
  able_.push_back(current_);
  Suspend();
}

void Fibers::WaitOn(const void* what) { Block(what); }

void Fibers::WakeOne(const void* what) {
  const auto it = waiting_.find(what);
  if (it != waiting_.end()) MakeAble(it->second.front());
}

void Fibers::WakeAll(const void* what) {
  for (auto it = waiting_.find(what); it != waiting_.end(); it = waiting_.find(what)) {
    MakeAble(it->second.front());
  }
}

void Fibers::Join(int fiber) {
  const Fiber* const other = fibers_[fiber].get();
  while (!other->ended) Block(other);
}

absl::Time FiberClock::Now() const {
  return active == nullptr ? absl::FromUnixSeconds(1000) : active->now();
}

bool FiberClock::WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const {
  if (Now() >= deadline) return true;
  Fibers* fibers = Fibers::Active();
  CHECK(fibers != nullptr) << "a wait outside of fibers";
  fibers->SetDeadline(deadline);
  cv->Wait(mu);
  return Now() >= deadline;
}

namespace {

// The C library's own.
template <typename F>
F* Real(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
int RealTryLock(pthread_mutex_t* mutex) {
  static auto* const real = Real<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  return real(mutex);
}
int RealUnlock(pthread_mutex_t* mutex) {
  static auto* const real = Real<int(pthread_mutex_t*)>("pthread_mutex_unlock");
  return real(mutex);
}

// A fiber as a pthread_t: no address of the C library's is so small.
constexpr pthread_t kLargestFiber = 1 << 20;

}  // namespace

}  // namespace shoal

// ---- instead of the C library's, for the whole program ----

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  shoal::Fibers* const fibers = shoal::Fibers::Active();
  if (fibers == nullptr) {
    static auto* const real = shoal::Real<int(pthread_mutex_t*)>("pthread_mutex_lock");
    return real(mutex);
  }
  fibers->BeforeLock();
  while (shoal::RealTryLock(mutex) == EBUSY) fibers->WaitOn(mutex);
  return 0;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  const int result = shoal::RealUnlock(mutex);
  if (shoal::Fibers* const fibers = shoal::Fibers::Active()) fibers->WakeAll(mutex);
  return result;
}

int pthread_cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex) {
  shoal::Fibers* const fibers = shoal::Fibers::Active();
  if (fibers == nullptr) {
    static auto* const real =
        shoal::Real<int(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
    return real(cond, mutex);
  }
  pthread_mutex_unlock(mutex);
  fibers->WaitOn(cond);
  while (shoal::RealTryLock(mutex) == EBUSY) fibers->WaitOn(mutex);
  return 0;
}

int pthread_cond_signal(pthread_cond_t* cond) {
  if (shoal::Fibers* const fibers = shoal::Fibers::Active()) {
    fibers->WakeOne(cond);
    return 0;
  }
  static auto* const real = shoal::Real<int(pthread_cond_t*)>("pthread_cond_signal");
  return real(cond);
}

int pthread_cond_broadcast(pthread_cond_t* cond) {
  if (shoal::Fibers* const fibers = shoal::Fibers::Active()) {
    fibers->WakeAll(cond);
    return 0;
  }
  static auto* const real = shoal::Real<int(pthread_cond_t*)>("pthread_cond_broadcast");
  return real(cond);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) {
  shoal::Fibers* const fibers = shoal::Fibers::Active();
  if (fibers == nullptr) {
    static auto* const real =
        shoal::Real<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(
            "pthread_create");
    return real(thread, attributes, body, argument);
  }
  *thread = static_cast<pthread_t>(fibers->Spawn([body, argument] { body(argument); }) + 1);
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  shoal::Fibers* const fibers = shoal::Fibers::Active();
  if (fibers == nullptr || thread > shoal::kLargestFiber) {
    static auto* const real = shoal::Real<int(pthread_t, void**)>("pthread_join");
    return real(thread, result);
  }
  fibers->Join(static_cast<int>(thread) - 1);
  return 0;
}

}  // extern "C"
