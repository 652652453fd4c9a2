#include "tests/sim/sim_history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {

namespace {

// Without payloads, whose order changes from run to run.
std::string Text(const absl::Status& status) {
  return status.ok()
             ? "OK"
             : absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
}

}  // namespace

void SimHistory::Violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

// Epochs and counts, never ids of tokens: the same rule as everywhere.
void SimHistory::Note(const std::string& what, absl::Time now) {
  const std::string line = absl::StrCat(absl::ToUnixMicros(now) - 1000'000'000, " us: ", what);
  for (const char c : line) digest_ = (digest_ ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  if (keep_words_) words_.push_back(line);
}

void SimHistory::Asked(const std::string& id, int64_t prompt_tokens, std::vector<TokenId> reference,
                       absl::Time now) {
  Note(absl::StrCat("client asks ", id), now);
  streams_[id].prompt_tokens = prompt_tokens;
  streams_[id].reference = std::move(reference);
}

void SimHistory::Refused(const std::string& id, const absl::Status& why, absl::Time now) {
  Note(absl::StrCat(id, " refused: ", Text(why)), now);
  Stream& stream = streams_[id];
  if (stream.next_seq > 0) Violate(absl::StrCat(id, ": refused after events"));
  if (why.ok() || why.code() == absl::StatusCode::kUnknown) {
    Violate(absl::StrCat(id, ": an untyped error"));
  }
  stream.over = true;
}

void SimHistory::Event(const std::string& id, const v1::GenerateEvent& event, absl::Time now) {
  Stream& stream = streams_[id];
  Note(absl::StrCat(id, " seq ", event.seq(), " kind ", event.event_case()), now);
  if (stream.over || stream.finish) Violate(absl::StrCat(id, ": an event after the terminal"));
  if (event.seq() != stream.next_seq++) {
    Violate(absl::StrCat(id, ": seq ", event.seq(), ", expected ", stream.next_seq - 1));
  }
  if (event.has_started() != (event.seq() == 0)) {
    Violate(absl::StrCat(id, ": Started is not the first event, and once"));
  }
  if (event.has_text_delta()) CheckDelta(id, stream, event.text_delta());
  if (event.has_finish()) CheckFinish(id, stream, event.finish());
}

void SimHistory::CheckDelta(const std::string& id, Stream& stream, const v1::TextDelta& delta) {
  for (const TokenId token : delta.token_ids()) {
    const size_t at = stream.ids.size();
    if (at >= stream.reference.size() || stream.reference[at] != token) {
      Violate(absl::StrCat(id, ": token ", at, " differs from the reference"));
    }
    stream.ids.push_back(token);
    ++tokens_;
  }
}

void SimHistory::CheckFinish(const std::string& id, Stream& stream, const v1::Finish& finish) {
  stream.finish = true;
  stream.reason = finish.reason();
  const int64_t sent = static_cast<int64_t>(stream.ids.size());
  if (finish.usage().output_tokens() != sent ||
      finish.usage().prompt_tokens() != stream.prompt_tokens) {
    Violate(absl::StrCat(id, ": usage says ", finish.usage().prompt_tokens(), " + ",
                         finish.usage().output_tokens(), " tokens, sent were ",
                         stream.prompt_tokens, " + ", sent));
  }
  const bool whole = stream.ids.size() == stream.reference.size();
  if ((finish.reason() == v1::LENGTH || finish.reason() == v1::STOP) && !whole) {
    Violate(absl::StrCat(id, ": finished with ", sent, " tokens of ", stream.reference.size()));
  }
}

void SimHistory::Ended(const std::string& id, const absl::Status& status, absl::Time now) {
  Stream& stream = streams_[id];
  Note(absl::StrCat(id, " ends: ", Text(status)), now);
  if (stream.over) Violate(absl::StrCat(id, ": two terminals"));
  stream.over = true;
  if (status.ok() != stream.finish)
    Violate(absl::StrCat(id, ": OK without a Finish, or a Finish without OK"));
  if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kUnknown) {
    Violate(absl::StrCat(id, ": ended with ", Text(status)));
  }
  ++(status.ok() ? finished_ : failed_);
}

void SimHistory::RouterDied(absl::Time now) {
  Note("router dies", now);
  for (auto& [id, stream] : streams_) stream.over = true;
}

void SimHistory::GivenToRank(const std::string& id, absl::Time now) {
  Note(absl::StrCat(id, " goes to a rank"), now);
  if (streams_[id].lost)
    Violate(absl::StrCat("M8: ", id, " is resubmitted after a rank died with it"));
}

void SimHistory::LostWithRank(const std::string& id, absl::Time now) {
  Note(absl::StrCat(id, " loses its rank"), now);
  streams_[id].lost = true;
}

void SimHistory::InCollective(const void* group, const std::string& epoch,
                              const std::string& layout) {
  const auto [it, first] = collectives_.try_emplace(group, epoch, layout);
  if (first || it->second == std::pair(epoch, layout)) return;
  Violate(absl::StrCat("M3: a collective of epochs ", it->second.first, " and ", epoch,
                       it->second.first == epoch ? " with two layouts" : ""));
}

void SimHistory::CheckAllEnded() {
  for (const auto& [id, stream] : streams_) {
    if (!stream.over) Violate(absl::StrCat(id, ": accepted, and never ended"));
  }
}

}  // namespace shoal
