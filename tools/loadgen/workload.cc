#include "tools/loadgen/workload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "tools/loadgen/seeded_random.h"

namespace shoal::loadgen {
namespace {

using Purpose = SeededRandom::Purpose;

constexpr int kWordLetters = 5;

bool Chosen(double share, SeededRandom random) { return random.Uniform() < share; }

void AddIds(SeededRandom random, int64_t count, int32_t vocab, v1::TokenIds* ids) {
  ids->mutable_ids()->Reserve(ids->ids_size() + static_cast<int>(count));
  for (int64_t i = 0; i < count; ++i) {
    ids->add_ids(static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab))));
  }
}

void AddWords(SeededRandom random, int64_t count, std::string* text) {
  for (int64_t i = 0; i < count; ++i) {
    if (!text->empty()) text->push_back(' ');
    for (int letter = 0; letter < kWordLetters; ++letter) {
      text->push_back(static_cast<char>('a' + random.Below(26)));
    }
  }
}

}  // namespace

Workload::Workload(WorkloadSpec spec, std::vector<TraceLine> trace, v1::Model model)
    : spec_(std::move(spec)), trace_(std::move(trace)), model_(std::move(model)) {}

absl::StatusOr<Workload> Workload::Create(WorkloadSpec spec, std::vector<TraceLine> trace,
                                          const v1::Model& model) {
  RETURN_IF_ERROR(CheckSpec(spec));
  Workload workload(std::move(spec), std::move(trace), model);
  RETURN_IF_ERROR(workload.SetSize());
  RETURN_IF_ERROR(workload.CheckFits());
  return workload;
}

absl::Status Workload::SetSize() {
  if (spec_.requests > 0) size_ = spec_.requests;
  if (spec_.arrivals.kind == ArrivalSpec::Kind::kTrace) return TakeTracesTimes();
  if (spec_.arrivals.open_loop()) return DrawTimes();
  return absl::OkStatus();
}

absl::Status Workload::TakeTracesTimes() {
  const auto lines = static_cast<int64_t>(trace_.size());
  if (spec_.requests > lines) {
    return absl::InvalidArgumentError(absl::StrCat("--requests=", spec_.requests, ": ",
                                                   spec_.arrivals.trace_file, " has ", lines));
  }
  size_ = spec_.requests > 0 ? spec_.requests : lines;
  for (size_t i = 0; i < static_cast<size_t>(*size_); ++i) arrivals_.push_back(trace_[i].arrival);
  return absl::OkStatus();
}

absl::Status Workload::DrawTimes() {
  const absl::Duration end = size_.has_value() ? absl::InfiniteDuration() : spec_.duration;
  ArrivalTimes times(spec_.arrivals, spec_.seed);
  for (absl::Duration at = times.Next(); at < end && std::ssize(arrivals_) != size_;
       at = times.Next()) {
    arrivals_.push_back(at);
  }
  size_ = std::ssize(arrivals_);
  if (*size_ > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--duration=", absl::FormatDuration(spec_.duration), ": no request arrives within it"));
}

// No request may be longer than the model takes: it would be refused, which measures nothing.
absl::Status Workload::CheckFits() const {
  if (model_.vocab_size() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the served model says vocab_size ", model_.vocab_size(), ", at least 1"));
  }
  int64_t prompt = spec_.prompt_tokens.high, output = spec_.output_tokens.high, both = 0;
  const bool trace_prompt = spec_.prompt_tokens.kind == LengthSpec::Kind::kTrace;
  const bool trace_output = spec_.output_tokens.kind == LengthSpec::Kind::kTrace;
  if (trace_prompt) prompt = 0;
  if (trace_output) output = 0;
  for (const TraceLine& line : trace_) {
    if (trace_prompt) prompt = std::max(prompt, line.prompt_tokens);
    if (trace_output) output = std::max(output, line.output_tokens);
    both = std::max(both, (trace_prompt ? line.prompt_tokens : spec_.prompt_tokens.high) +
                              (trace_output ? line.output_tokens : spec_.output_tokens.high));
  }
  if (trace_.empty()) both = prompt + output;
  const int32_t limit = model_.limits().max_output_tokens();
  if (limit > 0 && output > limit) {
    return absl::InvalidArgumentError(absl::StrCat("--output_tokens=", spec_.output_tokens.text,
                                                   ": up to ", output, ", the model's limit is ",
                                                   limit));
  }
  if (spec_.text_prompts) return absl::OkStatus();  // how many tokens its words are, it knows
  if (both + spec_.prefixes.tokens > model_.max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--prompt_tokens=", spec_.prompt_tokens.text, " and --output_tokens=",
        spec_.output_tokens.text, " with a prefix of ", spec_.prefixes.tokens, ": up to ",
        both + spec_.prefixes.tokens, " tokens, the model's context has ", model_.max_positions()));
  }
  return absl::OkStatus();
}

int64_t Workload::LengthOf(const LengthSpec& lengths, int64_t index) const {
  const bool prompt = &lengths == &spec_.prompt_tokens;
  if (lengths.kind == LengthSpec::Kind::kTrace) {
    return prompt ? trace_[index].prompt_tokens : trace_[index].output_tokens;
  }
  return lengths.Draw({spec_.seed, prompt ? Purpose::kPromptLength : Purpose::kOutputLength,
                       static_cast<uint64_t>(index)});
}

PlannedRequest Workload::At(int64_t index) const {
  CHECK(index >= 0 && (!size_.has_value() || index < *size_));
  const auto i = static_cast<uint64_t>(index);
  PlannedRequest planned = {.index = index,
                            .prompt_tokens = LengthOf(spec_.prompt_tokens, index),
                            .output_tokens = LengthOf(spec_.output_tokens, index),
                            .seed = SeededRandom(spec_.seed, Purpose::kSampling, i).Next()};
  if (!arrivals_.empty()) planned.arrival = arrivals_[i];
  if (spec_.prefixes.groups > 0) {
    planned.prefix_group =
        static_cast<int64_t>(SeededRandom(spec_.seed, Purpose::kPrefixGroup, i)
                                 .Below(static_cast<uint64_t>(spec_.prefixes.groups)));
    planned.prompt_tokens += spec_.prefixes.tokens;
  }
  if (Chosen(spec_.cancels.share, {spec_.seed, Purpose::kCancel, i})) {
    planned.cancel_after = spec_.cancels.after_tokens;
  }
  if (Chosen(spec_.slow_readers.share, {spec_.seed, Purpose::kSlow, i})) {
    planned.tokens_per_second = spec_.slow_readers.tokens_per_second;
  }
  return planned;
}

v1::GenerateRequest Workload::RequestFor(const PlannedRequest& planned) const {
  v1::GenerateRequest request;
  const auto add = [&](Purpose purpose, int64_t which, int64_t count) {
    const SeededRandom random(spec_.seed, purpose, static_cast<uint64_t>(which));
    if (spec_.text_prompts) {
      AddWords(random, count, request.mutable_text());
    } else {
      AddIds(random, count, model_.vocab_size(), request.mutable_token_ids());
    }
  };
  int64_t own = planned.prompt_tokens;
  if (planned.prefix_group.has_value()) {
    add(Purpose::kPrefixTokens, *planned.prefix_group, spec_.prefixes.tokens);
    own -= spec_.prefixes.tokens;
  }
  add(Purpose::kPromptTokens, planned.index, own);
  request.mutable_sampling()->set_temperature(static_cast<float>(spec_.temperature));
  request.mutable_sampling()->set_seed(planned.seed);
  request.mutable_stop()->set_max_output_tokens(static_cast<int32_t>(planned.output_tokens));
  return request;
}

std::string Workload::Digest(int64_t count) const {
  Sha256 digest;
  digest.Update(absl::StrCat("deadline ", absl::ToInt64Nanoseconds(spec_.deadline), "\n"));
  for (int64_t i = 0; i < count; ++i) {
    const PlannedRequest planned = At(i);
    const v1::GenerateRequest request = RequestFor(planned);
    digest.Update(absl::StrCat(
        absl::ToInt64Nanoseconds(planned.arrival), " ", planned.cancel_after.value_or(-1), " ",
        planned.tokens_per_second.value_or(0), " ", planned.seed, " ", spec_.temperature, " ",
        planned.output_tokens, " ", request.has_text(), "\n"));
    digest.Update(request.text());
    const auto& ids = request.token_ids().ids();
    digest.Update(ids.data(), static_cast<size_t>(ids.size()) * sizeof(ids[0]));
  }
  return HexOf(digest.Finish());
}

}  // namespace shoal::loadgen
