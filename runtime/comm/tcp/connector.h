#ifndef SHOAL_RUNTIME_COMM_TCP_CONNECTOR_H_
#define SHOAL_RUNTIME_COMM_TCP_CONNECTOR_H_

#include <poll.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/comm/tcp/handshake.h"
#include "runtime/comm/tcp/hello.h"
#include "runtime/comm/tcp/link.h"
#include "runtime/comm/tcp/mesh.h"
#include "runtime/comm/tcp/socket.h"

namespace shoal::internal {

// Makes one epoch's links: this rank dials every higher rank and is dialed by every lower one. Used
// once, by one thread.
class Connector {
 public:
  // `spec` is valid; `listener` and `cancel` outlive this.
  Connector(const MeshSpec& spec, const Fd& listener, const Event& cancel);

  // links[r] to rank r, null for the own.  CANCELLED, DEADLINE_EXCEEDED with what each missing peer
  // said last, or the first disagreement with a member of this epoch.
  absl::StatusOr<std::vector<std::unique_ptr<Link>>> Connect(absl::Time deadline);

 private:
  struct Peer {
    SocketAddress address;
    bool dialing = false;
    absl::Time next_dial;
    absl::Status last;  // why it is not there yet
    std::unique_ptr<Link> link;
  };

  int rank() const { return spec_.rank; }
  int size() const { return static_cast<int>(peers_.size()); }
  absl::Status Resolve();
  bool AllThere() const;
  void DialDue(absl::Time now);
  void AcceptWaiting(absl::Time now);
  // Waits until something can go on, or `until`.
  absl::Status Poll(absl::Time until);
  absl::Status StepAll(absl::Time now);
  // Takes a finished or failed handshake in; an error ends Connect.
  absl::Status Settle(Handshake& handshake, const absl::Status& result, absl::Time now);
  absl::Status OnAnswered(Handshake& handshake, const absl::Status& result);
  absl::Status Missing() const;
  absl::Status AboutPeer(int peer, const absl::Status& why) const;

  const MeshSpec& spec_;
  const Fd& listener_;
  const Event& cancel_;
  Hello hello_;
  std::vector<Peer> peers_;
  std::list<Handshake> handshakes_;
  absl::Time next_accept_;
  std::vector<pollfd> polled_;
  absl::Status
      stranger_;  // what the last connection was refused for that nobody could be blamed for
};

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_CONNECTOR_H_
