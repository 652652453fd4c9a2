// What clients and groups saw in one simulated run, held to the invariants.

#ifndef SHOAL_TESTS_SIM_SIM_HISTORY_H_
#define SHOAL_TESTS_SIM_SIM_HISTORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/inference.pb.h"

#include "runtime/engine/request.h"

namespace shoal {

// Pure bookkeeping. The first violation stays.
class SimHistory {
 public:
  explicit SimHistory(bool keep_words) : keep_words_(keep_words) {}

  // A client asks; `reference` is all that it can be answered.
  void Asked(const std::string& id, int64_t prompt_tokens, std::vector<TokenId> reference,
             absl::Time now);
  // The call was refused: nothing may come.
  void Refused(const std::string& id, const absl::Status& why, absl::Time now);
  void Event(const std::string& id, const v1::GenerateEvent& event, absl::Time now);
  void Ended(const std::string& id, const absl::Status& status, absl::Time now);
  // Its router died: the client sees a broken call, which is typed, and may ask anew.
  void RouterDied(absl::Time now);
  // A rank was handed the generation, or died with it (M8).
  void GivenToRank(const std::string& id, absl::Time now);
  void LostWithRank(const std::string& id, absl::Time now);

  // Ranks that take part in one collective.
  void InCollective(const void* group, const std::string& epoch, const std::string& layout);
  void Note(const std::string& what, absl::Time now);
  // After the last event: whatever was accepted has ended.
  void CheckAllEnded();
  void Violate(const std::string& what);

  const std::string& violation() const { return violation_; }
  uint64_t digest() const { return digest_; }
  const std::vector<std::string>& words() const { return words_; }
  int64_t tokens() const { return tokens_; }
  int finished() const { return finished_; }
  int failed() const { return failed_; }
  int asked() const { return static_cast<int>(streams_.size()); }

 private:
  struct Stream {
    int64_t prompt_tokens = 0;
    std::vector<TokenId> reference;
    uint64_t next_seq = 0;
    std::vector<TokenId> ids;
    bool finish = false, over = false;
    v1::FinishReason reason = v1::FINISH_REASON_UNSPECIFIED;
    bool lost = false;
  };
  void CheckDelta(const std::string& id, Stream& stream, const v1::TextDelta& delta);
  void CheckFinish(const std::string& id, Stream& stream, const v1::Finish& finish);

  const bool keep_words_;
  std::map<std::string, Stream> streams_;
  std::map<const void*, std::pair<std::string, std::string>> collectives_;
  std::string violation_;
  uint64_t digest_ = 14695981039346656037ull;
  std::vector<std::string> words_;
  int64_t tokens_ = 0;
  int finished_ = 0, failed_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_SIM_HISTORY_H_
