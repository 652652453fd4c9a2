// Every order in which fibers can take turns, up to a number of preemptions.

#ifndef SHOAL_TESTS_SIM_INTERLEAVINGS_H_
#define SHOAL_TESTS_SIM_INTERLEAVINGS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/sim/fibers.h"

namespace shoal {

// Depth first over the choices of Fibers::Pick; each run starts anew and follows a prefix of them.
class Interleavings {
 public:
  explicit Interleavings(int max_preemptions) : max_preemptions_(max_preemptions) {}

  // `run` makes its Fibers with pick() and returns whether all went well. Returns whether every run
  // did; stops at the first that did not, or after `max_runs`.
  bool Explore(uint64_t max_runs, const std::function<bool()>& run) {
    do {
      at_ = 0;
      preemptions_ = 0;
      ++runs_;
      if (!run()) return false;
    } while (runs_ < max_runs && Advance());
    return true;
  }

  Fibers::Pick pick() {
    return [this](const std::vector<int>& able, bool last_is_able) {
      return Choose(able.size(), last_is_able);
    };
  }

  uint64_t runs() const { return runs_; }
  bool exhausted() const { return choices_.empty(); }
  size_t deepest() const { return deepest_; }  // choices in one run

 private:
  struct Choice {
    size_t taken, of;
  };

  size_t Choose(size_t able, bool last_is_able) {
    if (at_ == choices_.size()) {
      // To leave one that could go on is a preemption; who follows one that waits is free.
      const bool may_switch = !last_is_able || preemptions_ < max_preemptions_;
      choices_.push_back({0, may_switch ? able : 1});
    }
    const size_t taken = choices_[at_++].taken;
    deepest_ = std::max(deepest_, at_);
    preemptions_ += last_is_able && taken > 0;
    return taken;
  }

  bool Advance() {
    while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().of) {
      choices_.pop_back();
    }
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  const int max_preemptions_;
  std::vector<Choice> choices_;
  size_t at_ = 0, deepest_ = 0;
  int preemptions_ = 0;
  uint64_t runs_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_INTERLEAVINGS_H_
