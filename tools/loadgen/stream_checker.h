// The contract of a stream of events, as proto/shoal/v1/inference.proto states it.

#ifndef SHOAL_TOOLS_LOADGEN_STREAM_CHECKER_H_
#define SHOAL_TOOLS_LOADGEN_STREAM_CHECKER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "shoal/v1/inference.pb.h"

namespace shoal::loadgen {

// Sees every event of one Generate call and its status, and keeps the first violation:
//  - seq is 0, 1, 2, ...;
//  - Started is first and only first, and repeats the seed and the prompt's length;
//  - deltas hold ids of the vocabulary, and no more of them than were asked for;
//  - Finish is last and exactly one; its usage is what was counted; its reason fits the request;
//  - the status is OK exactly after Finish. (A call that is cut off from here or below, by
//    cancel, deadline or a lost connection, may lose its status after Finish.)
//
// One thread at a time.
class StreamChecker {
 public:
  struct Expected {
    std::optional<int64_t> prompt_tokens;  // nothing: a text's, not known here
    int64_t max_output_tokens = 0;
    uint64_t seed = 0;
    int32_t vocab_size = 0;
    bool deadline = false;  // the call has one
  };

  explicit StreamChecker(const Expected& expected) : expected_(expected) {}

  void OnEvent(const v1::GenerateEvent& event);
  // The call is over. `cancelled`: by its client.
  void OnStatus(const absl::Status& status, bool cancelled);

  // What was wrong, with the two values that disagree; empty: nothing.
  const std::string& violation() const { return violation_; }

 private:
  void OnStarted(const v1::Started& started);
  void OnDelta(const v1::TextDelta& delta);
  void OnFinish(const v1::Finish& finish);
  void CheckReason(const v1::Finish& finish);
  void Fail(std::string what);

  const Expected expected_;
  uint64_t next_seq_ = 0;
  std::optional<int64_t> prompt_tokens_;  // as Started said
  int64_t delta_tokens_ = 0;
  bool finished_ = false;
  std::string violation_;
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_STREAM_CHECKER_H_
