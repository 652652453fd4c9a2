#include "runtime/comm/tcp/group.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/lost_rank.h"

namespace shoal::internal {
namespace {

static_assert(sizeof(Vote) == 16 && sizeof(Vote) <= Link::kSmallPayload,
              "a vote is four numbers of 32 bits");

// How long a collective may go on after a peer that has done its part has left.
constexpr absl::Duration kGrace = absl::Milliseconds(250);

constexpr short kHangUp = POLLRDHUP | POLLHUP | POLLERR;

ConstBytes BytesOfObject(const auto& object) {
  return ConstBytes(reinterpret_cast<const std::byte*>(&object), sizeof(object));
}

}  // namespace

Group::Group(const GroupOptions& options, std::vector<std::unique_ptr<Link>> links)
    : options_(options), links_(std::move(links)), peers_(links_.size()) {
  for (Channel& c : channels_) {
    c.inbox.resize(links_.size());
    c.sent_ticket.resize(links_.size());
  }
}

Group::~Group() = default;

void Group::StartService(absl::Duration step_deadline) {
  options_.step_deadline = step_deadline;
  traffic_ = {};
}

FrameHeader Group::Header(FrameKind kind, int channel, uint64_t number) const {
  return {.epoch = options_.epoch,
          .kind = kind,
          .channel = static_cast<uint8_t>(channel),
          .number = number};
}

void Group::BeginAllToAll(int channel, absl::Span<const ConstBytes> to_peer) {
  CHECK_EQ(static_cast<int>(to_peer.size()), size());
  CHECK(channel >= 0 && channel < kChannels) << "channel " << channel;
  Channel& c = channels_[channel];
  CHECK(!c.open) << "channel " << channel << " has an exchange open";
  c.open = true;
  c.own = to_peer[rank()];
  c.number = next_collective_++;
  const FrameHeader header = Header(FrameKind::kAllToAll, channel, c.number);
  for (int i = 1; i < size() && !failed_; ++i) {
    const int peer = Nth(i);
    CHECK_LE(to_peer[peer].size(), options_.max_message_bytes);
    const absl::StatusOr<uint64_t> ticket = links_[peer]->Send(header, to_peer[peer]);
    if (!ticket.ok()) {
      (void)FailOver(peer, ticket.status());
      return;
    }
    c.sent_ticket[peer] = *ticket;
    traffic_.bytes_sent += static_cast<int64_t>(to_peer[peer].size());
  }
}

void Group::EndAllToAll(int channel, Arena& arena, std::vector<Bytes>* from_peer) {
  CHECK(channel >= 0 && channel < kChannels) << "channel " << channel;
  Channel& c = channels_[channel];
  CHECK(c.open) << "channel " << channel << " has no exchange open";
  from_peer->assign(size(), Bytes());
  c.arena = &arena;
  absl::Status reached = Await(Goal::kMessages, channel);
  if (reached.ok()) reached = CheckNumbers(channel);
  c.arena = nullptr;
  c.open = false;
  if (!reached.ok()) return;
  for (int r = 0; r < size(); ++r) {
    const Inbox& inbox = c.inbox[r];
    const ConstBytes message = r == rank() ? c.own : ConstBytes(inbox.bytes);
    if (r != rank()) traffic_.bytes_received += static_cast<int64_t>(message.size());
    if (message.empty()) continue;
    if (r == rank() || inbox.early != nullptr) {
      std::byte* copy = arena.NewBytes(message.size());
      std::memcpy(copy, message.data(), message.size());
      (*from_peer)[r] = Bytes(copy, message.size());
    } else {
      (*from_peer)[r] = inbox.bytes;
    }
  }
  for (Inbox& inbox : c.inbox) inbox = Inbox();
}

absl::Status Group::CheckNumbers(int channel) {
  const Channel& c = channels_[channel];
  for (int r = 0; r < size(); ++r) {
    const uint64_t number = c.inbox[r].number;
    if (r == rank() || number == c.number) continue;
    return FailOver(r, absl::DataLossError(absl::StrCat("collective ", number, " on channel ",
                                                        channel, " where ", c.number, " is open")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Vote>> Group::Exchange(const Vote& mine) {
  const FrameHeader header = Header(FrameKind::kVote, 0, next_round_++);
  for (int i = 1; i < size() && !failed_; ++i) {
    const int peer = Nth(i);
    const absl::StatusOr<uint64_t> ticket = links_[peer]->Send(header, BytesOfObject(mine));
    if (!ticket.ok()) return FailOver(peer, ticket.status());
    peers_[peer].vote_ticket = *ticket;
  }
  RETURN_IF_ERROR(Await(Goal::kVotes, 0));
  std::vector<Vote> votes(size(), mine);
  for (int r = 0; r < size(); ++r) {
    if (r == rank()) continue;
    votes[r] = *peers_[r].vote;
    peers_[r].vote.reset();
  }
  return votes;
}

absl::Status Group::Sleep() {
  absl::Status woken = Await(Goal::kAnyVote, 0);
  wake_event_.Clear();
  return woken;
}

void Group::Wake() { wake_event_.Raise(); }

bool Group::Wants(int peer) const {
  switch (goal_) {
    case Goal::kNothing:
      return false;
    case Goal::kVotes:
    case Goal::kAnyVote:
      return !peers_[peer].vote.has_value();
    case Goal::kLastWords:
      return true;
    case Goal::kMessages:
      return channels_[goal_channel_].inbox[peer].state != Inbox::State::kThere;
  }
  return false;
}

bool Group::Taken(int peer) const {
  if (goal_ == Goal::kVotes) return links_[peer]->Sent(peers_[peer].vote_ticket);
  if (goal_ == Goal::kMessages)
    return links_[peer]->Sent(channels_[goal_channel_].sent_ticket[peer]);
  return true;
}

absl::StatusOr<std::byte*> Group::OnHeader(int peer, const FrameHeader& header) {
  if (header.epoch != options_.epoch && !options_.accept_stale_epoch) {
    return absl::DataLossError(absl::StrCat("frame of epoch ", EpochName(header.epoch),
                                            " in epoch ", EpochName(options_.epoch)));
  }
  Peer& p = peers_[peer];
  std::byte* place = nullptr;
  size_t expected = 0;
  switch (header.kind) {
    case FrameKind::kAllToAll:
      return PlaceMessage(peer, header);
    case FrameKind::kVote:
      if (header.number != p.next_round || p.vote.has_value()) {
        return absl::DataLossError(
            absl::StrCat("vote of round ", header.number, " where ", p.next_round, " was due"));
      }
      place = reinterpret_cast<std::byte*>(&p.arriving);
      expected = sizeof(p.arriving);
      break;
    case FrameKind::kFarewell:
      place = reinterpret_cast<std::byte*>(&p.farewell);
      expected = sizeof(p.farewell);
      break;
  }
  if (header.length != expected) {
    return absl::DataLossError(
        absl::StrCat("frame of ", header.length, " bytes where its kind has ", expected));
  }
  return place;
}

absl::StatusOr<std::byte*> Group::PlaceMessage(int peer, const FrameHeader& header) {
  Peer& p = peers_[peer];
  if (header.channel >= kChannels) {
    return absl::DataLossError(absl::StrCat("channel ", header.channel, " of ", kChannels));
  }
  Channel& c = channels_[header.channel];
  Inbox& inbox = c.inbox[peer];
  if (header.number != p.next_collective) {
    return absl::DataLossError(
        absl::StrCat("collective ", header.number, " where ", p.next_collective, " was due"));
  }
  if (inbox.state != Inbox::State::kEmpty) {
    return absl::DataLossError(absl::StrCat("a second message on channel ", header.channel,
                                            " before the first was taken"));
  }
  if (header.length > options_.max_message_bytes) {
    return absl::DataLossError(absl::StrCat("message of ", header.length, " bytes, more than ",
                                            options_.max_message_bytes));
  }
  inbox.state = Inbox::State::kArriving;
  inbox.number = header.number;
  if (header.length == 0) return nullptr;
  // A length that lies costs address space up to the bound, no memory: pages are touched as bytes
  // arrive.
  if (c.arena == nullptr) inbox.early = std::make_unique_for_overwrite<std::byte[]>(header.length);
  std::byte* place = c.arena != nullptr ? c.arena->NewBytes(header.length) : inbox.early.get();
  inbox.bytes = Bytes(place, header.length);
  return place;
}

absl::Status Group::OnFrame(int peer, const FrameHeader& header) {
  Peer& p = peers_[peer];
  switch (header.kind) {
    case FrameKind::kVote:
      p.vote = p.arriving;
      ++p.next_round;
      break;
    case FrameKind::kAllToAll:
      channels_[header.channel].inbox[peer].state = Inbox::State::kThere;
      ++p.next_collective;
      break;
    case FrameKind::kFarewell:
      if (p.farewell >= static_cast<uint32_t>(size())) {
        return absl::DataLossError(
            absl::StrCat("farewell that blames rank ", p.farewell, " of ", size()));
      }
      return LostRankError(static_cast<int>(p.farewell), absl::StrCat("given up by rank ", peer));
  }
  return absl::OkStatus();
}

absl::Status Group::Await(Goal goal, int channel) {
  if (failed_) return status();
  goal_ = goal;
  goal_channel_ = channel;
  left_.assign(size(), false);
  first_left_ = -1;
  const absl::Time since = RealClock::Get().Now();
  absl::Status result;
  while (result.ok()) {
    const absl::StatusOr<bool> reached = Progress();
    if (!reached.ok()) {
      result = reached.status();
    } else if (*reached) {
      break;
    } else {
      result = WaitForSockets(since);
      // Wake() ends a sleep, and only that.
      if (goal == Goal::kAnyVote && result.ok() && (polled_[1].revents & POLLIN) != 0) break;
    }
  }
  goal_ = Goal::kNothing;
  return result;
}

absl::StatusOr<bool> Group::Progress() {
  const bool sleeping = goal_ == Goal::kAnyVote;
  bool nobody_owes = true, somebody_voted = false, sending = false;
  for (int i = 1; i < size(); ++i) {
    Link& link = *links_[Nth(i)];
    if (!link.sending()) continue;
    if (absl::Status ok = link.Flush(); !ok.ok()) return FailOver(Nth(i), ok);
    sending |= link.sending();
  }
  bool earlier_are_here = true;
  for (int i = 1; i < size(); ++i) {
    const int peer = Nth(i);
    Link& link = *links_[peer];
    // Sleeping looks at everybody.  Otherwise only the first peer that owes is read, and any whose
    // message is on its way: bytes of the others wait in the kernel, and do not wake this thread
    // once each.
    if (Wants(peer) && (earlier_are_here || sleeping || link.in_payload())) {
      const bool patiently = earlier_are_here && !sleeping && !sending;
      const absl::StatusOr<bool> got =
          patiently ? link.ReceivePatiently(*this) : link.Receive(*this);
      if (!got.ok()) return FailOver(peer, got.status());
    }
    earlier_are_here &= !Wants(peer);
    nobody_owes &= !Owes(peer);
    somebody_voted |= peers_[peer].vote.has_value();
  }
  return sleeping ? somebody_voted : nobody_owes;
}

absl::Status Group::WaitForSockets(absl::Time since) {
  const bool sleeping = goal_ == Goal::kAnyVote;
  polled_.clear();
  polled_.push_back({abort_event_.fd(), POLLIN, 0});
  polled_.push_back({sleeping ? wake_event_.fd() : -1, POLLIN, 0});
  absl::Time deadline = absl::InfiniteFuture();
  bool first = true;
  const absl::Time before = RealClock::Get().Now();
  for (int i = 1; i < size(); ++i) {
    const int peer = Nth(i);
    const Link& link = *links_[peer];
    const bool wanted = Wants(peer);
    short events = POLLRDHUP;
    if (link.sending()) events |= POLLOUT;
    if (wanted && (first || sleeping || link.in_payload())) events |= POLLIN;
    if (wanted) first = false;
    if (Owes(peer))
      deadline = std::min(deadline, SilentSince(peer, since, before) + options_.step_deadline);
    polled_.push_back({left_[peer] ? -1 : link.fd(), events, 0});
  }
  if (sleeping) deadline = absl::InfiniteFuture();
  if (first_left_ >= 0) deadline = std::min(deadline, left_at_ + kGrace);
  const timespec timeout =
      absl::ToTimespec(std::clamp(deadline - before, absl::ZeroDuration(), absl::Hours(1)));
  const int ready = ppoll(polled_.data(), polled_.size(),
                          deadline == absl::InfiniteFuture() ? nullptr : &timeout, nullptr);
  CHECK(ready >= 0 || errno == EINTR) << "ppoll: " << ErrorText(errno);
  if (failed_) return status();
  const absl::Time now = RealClock::Get().Now();
  for (int i = 1; ready > 0 && i < size(); ++i) {
    if ((polled_[i + 1].revents & kHangUp) != 0) RETURN_IF_ERROR(NoteLeft(Nth(i), now));
  }
  RETURN_IF_ERROR(CheckGrace(now));
  return ready == 0 ? CheckSilence(since, now) : absl::OkStatus();
}

absl::Status Group::NoteLeft(int peer, absl::Time now) {
  // It may have sent all that is wanted before it left: that counts.
  const absl::StatusOr<bool> got = links_[peer]->Receive(*this);
  if (!got.ok()) return FailOver(peer, got.status());
  left_[peer] = true;
  if (first_left_ < 0) {
    first_left_ = peer;
    left_at_ = now;
  }
  return absl::OkStatus();
}

absl::Status Group::CheckGrace(absl::Time now) {
  if (first_left_ < 0 || now < left_at_ + kGrace) return absl::OkStatus();
  const absl::StatusOr<bool> reached = Progress();
  if (!reached.ok()) return reached.status();
  if (*reached) return absl::OkStatus();
  // Its last words may say for whose sake it left.
  goal_ = Goal::kLastWords;
  const absl::Status last = links_[first_left_]->Receive(*this).status();
  return FailOver(first_left_,
                  BlamedRank(last) ? last : absl::UnavailableError("closed its connection"));
}

absl::Time Group::SilentSince(int peer, absl::Time since, absl::Time now) {
  Peer& p = peers_[peer];
  if (const uint64_t moved = links_[peer]->bytes_moved(); moved != p.bytes_moved) {
    p.bytes_moved = moved;
    p.moved_at = now;
  }
  return std::max(since, p.moved_at);
}

absl::Status Group::CheckSilence(absl::Time since, absl::Time now) {
  for (int i = 1; i < size(); ++i) {
    const int peer = Nth(i);
    if (!Owes(peer)) continue;
    // Its bytes may lie in the kernel: only the first peer that owes is read at once.
    const absl::StatusOr<bool> got = links_[peer]->Receive(*this);
    if (!got.ok()) return FailOver(peer, got.status());
    if (!Owes(peer)) continue;
    const absl::Duration silence = now - SilentSince(peer, since, now);
    if (silence < options_.step_deadline) continue;
    return FailOver(
        peer, absl::UnavailableError(absl::StrCat("silent for ", absl::FormatDuration(silence),
                                                  " in a collective; the deadline is ",
                                                  absl::FormatDuration(options_.step_deadline))));
  }
  return absl::OkStatus();
}

absl::Status Group::FailOver(int peer, const absl::Status& why) {
  if (failed_) return status();  // the sockets broke because Abort() shut them
  absl::Status blamed = why;
  if (!BlamedRank(why)) {
    blamed = why.code() == absl::StatusCode::kDataLoss ? LyingRankError(peer, why.message())
                                                       : LostRankError(peer, why.message());
  }
  Farewell(*BlamedRank(blamed));
  Abort(blamed);
  return status();
}

void Group::Farewell(int blamed) {
  const uint32_t rank = static_cast<uint32_t>(blamed);
  for (const std::unique_ptr<Link>& link : links_) {
    // As far as it can be said without waiting: a peer in whose stream a message is stuck sees the
    // socket close.
    if (link == nullptr || link->sending()) continue;
    (void)link->Send(Header(FrameKind::kFarewell, 0, 0), BytesOfObject(rank));
  }
}

void Group::Abort(const absl::Status& why) {
  CHECK(!why.ok()) << "Abort needs a reason";
  {
    MutexLock lock(&mu_);
    if (!status_.ok()) return;
    status_ = why;
    failed_ = true;
  }
  for (const std::unique_ptr<Link>& link : links_) {
    if (link != nullptr) link->Shutdown();
  }
  abort_event_.Raise();
}

absl::Status Group::status() const {
  MutexLock lock(&mu_);
  return status_;
}

}  // namespace shoal::internal
