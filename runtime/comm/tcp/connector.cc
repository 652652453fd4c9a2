#include "runtime/comm/tcp/connector.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/lost_rank.h"

namespace shoal::internal {
namespace {

constexpr absl::Duration kRetry = absl::Milliseconds(20);
// An accepted connection that has not proven itself by then makes room.
constexpr absl::Duration kHelloDeadline = absl::Seconds(5);

absl::Time Now() { return RealClock::Get().Now(); }

}  // namespace

Connector::Connector(const MeshSpec& spec, const Fd& listener, const Event& cancel)
    : spec_(spec), listener_(listener), cancel_(cancel), peers_(spec.addresses.size()) {
  hello_.cluster = spec.cluster;
  hello_.epoch = {spec.epoch_number, spec.epoch_incarnation};
  hello_.layout = spec.layout;
  hello_.from = static_cast<uint32_t>(spec.rank);
}

absl::StatusOr<std::vector<std::unique_ptr<Link>>> Connector::Connect(absl::Time deadline) {
  RETURN_IF_ERROR(Resolve());
  while (!AllThere()) {
    const absl::Time now = Now();
    if (now >= deadline) return Missing();
    DialDue(now);
    RETURN_IF_ERROR(Poll(deadline));
    AcceptWaiting(Now());
    RETURN_IF_ERROR(StepAll(Now()));
  }
  std::vector<std::unique_ptr<Link>> links(size());
  for (int r = 0; r < size(); ++r) links[r] = std::move(peers_[r].link);
  return links;
}

absl::Status Connector::Resolve() {
  for (int r = rank() + 1; r < size(); ++r) {
    absl::StatusOr<SocketAddress> address = ResolveAddress(spec_.addresses[r]);
    if (!address.ok()) return AboutPeer(r, address.status());
    peers_[r].address = *address;
  }
  return absl::OkStatus();
}

bool Connector::AllThere() const {
  for (int r = 0; r < size(); ++r) {
    if (r != rank() && peers_[r].link == nullptr) return false;
  }
  return true;
}

void Connector::DialDue(absl::Time now) {
  for (int r = rank() + 1; r < size(); ++r) {
    Peer& peer = peers_[r];
    if (peer.link != nullptr || peer.dialing || now < peer.next_dial) continue;
    absl::StatusOr<Fd> fd = StartConnect(peer.address);
    if (!fd.ok()) {
      peer.last = fd.status();
      peer.next_dial = now + kRetry;
      continue;
    }
    peer.dialing = true;
    handshakes_.push_back(Handshake::Dial(*std::move(fd), hello_, spec_.group_key, r, now));
  }
}

void Connector::AcceptWaiting(absl::Time now) {
  if (now < next_accept_) return;
  Fd fd = Accept(listener_);
  for (; fd.valid(); fd = Accept(listener_)) {
    handshakes_.push_back(Handshake::Answer(std::move(fd), hello_, spec_.group_key, now));
  }
  // Out of descriptors, the listener stays readable: look again in a while.
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
    next_accept_ = now + kRetry;
  // Strangers cannot fill the table: beyond its size the oldest of the unproven goes.
  const size_t most = 2 * static_cast<size_t>(size()) + 16;
  while (handshakes_.size() > most) {
    const auto oldest =
        std::find_if(handshakes_.begin(), handshakes_.end(),
                     [](const Handshake& h) { return h.role() == Role::kAcceptor; });
    if (oldest == handshakes_.end()) break;
    handshakes_.erase(oldest);
  }
}

absl::Status Connector::Poll(absl::Time until) {
  polled_.clear();
  polled_.push_back({cancel_.fd(), POLLIN, 0});
  const bool accepting = Now() >= next_accept_;
  polled_.push_back({accepting ? listener_.get() : -1, POLLIN, 0});
  if (!accepting) until = std::min(until, next_accept_);
  for (const Handshake& h : handshakes_) {
    polled_.push_back({h.fd(), h.events(), 0});
    if (h.role() == Role::kAcceptor) until = std::min(until, h.since() + kHelloDeadline);
  }
  for (int r = rank() + 1; r < size(); ++r) {
    if (peers_[r].link == nullptr && !peers_[r].dialing)
      until = std::min(until, peers_[r].next_dial);
  }
  const timespec timeout =
      absl::ToTimespec(std::clamp(until - Now(), absl::ZeroDuration(), absl::Hours(1)));
  const int ready = ppoll(polled_.data(), polled_.size(), &timeout, nullptr);
  CHECK(ready >= 0 || errno == EINTR) << "ppoll: " << ErrorText(errno);
  if (ready > 0 && (polled_[0].revents & POLLIN) != 0)
    return absl::CancelledError("mesh: Connect was cancelled");
  return absl::OkStatus();
}

absl::Status Connector::StepAll(absl::Time now) {
  // The first polled_.size() - 2 handshakes were polled, in this order; new ones are stepped
  // anyway.
  for (auto h = handshakes_.begin(); h != handshakes_.end();) {
    const absl::StatusOr<bool> done = h->Step();
    const bool late = h->role() == Role::kAcceptor && now >= h->since() + kHelloDeadline;
    if (done.ok() && !*done && !late) {
      ++h;
      continue;
    }
    const absl::Status result = done.ok() && !*done
                                    ? absl::UnavailableError("a connection said no Hello in time")
                                    : done.status();
    RETURN_IF_ERROR(Settle(*h, result, now));
    h = handshakes_.erase(h);
  }
  return absl::OkStatus();
}

absl::Status Connector::Settle(Handshake& handshake, const absl::Status& result, absl::Time now) {
  if (handshake.role() == Role::kAcceptor) return OnAnswered(handshake, result);
  Peer& peer = peers_[handshake.peer()];
  peer.dialing = false;
  peer.last = result;
  peer.next_dial = now + kRetry;
  if (result.ok()) {
    peer.link = std::make_unique<Link>(handshake.TakeFd(), handshake.peer());
  } else if (result.code() != absl::StatusCode::kUnavailable) {
    return AboutPeer(handshake.peer(), result);
  }
  return absl::OkStatus();
}

absl::Status Connector::OnAnswered(Handshake& handshake, const absl::Status& result) {
  const int from = handshake.peer();
  const bool lower = from >= 0 && from < rank();
  if (!handshake.proven() || result.code() == absl::StatusCode::kUnavailable) {
    // Anybody can connect and claim to be anybody: it is remembered for the message at the
    // deadline, no more.
    (lower ? peers_[from].last : stranger_) = result;
    return absl::OkStatus();
  }
  if (!result.ok()) return lower ? AboutPeer(from, result) : result;
  if (!lower) {
    return absl::FailedPreconditionError(
        absl::StrCat("mesh: rank ", from, " dialed rank ", rank(), ", which only lower ranks do"));
  }
  // A second one replaces the first: the peer has begun anew.
  peers_[from].link = std::make_unique<Link>(handshake.TakeFd(), from);
  return absl::OkStatus();
}

absl::Status Connector::Missing() const {
  std::string text = "mesh: not all ranks connected in time";
  for (int r = 0; r < size(); ++r) {
    if (r == rank() || peers_[r].link != nullptr) continue;
    absl::StrAppend(&text, "; rank ", r, " at ", spec_.addresses[r], ": ",
                    peers_[r].last.ok() ? "not heard of" : peers_[r].last.message());
  }
  if (!stranger_.ok()) absl::StrAppend(&text, "; a stranger: ", stranger_.message());
  return absl::DeadlineExceededError(text);
}

absl::Status Connector::AboutPeer(int peer, const absl::Status& why) const {
  return Annotate(why, absl::StrCat("mesh: rank ", peer, " at ", spec_.addresses[peer]));
}

}  // namespace shoal::internal
