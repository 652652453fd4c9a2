#include "services/router/cluster/join_service.h"

#include <deque>
#include <utility>

namespace shoal {

// gRPC owns the moment of its death (OnDone). Everything that is sent waits in `outbox_`: a stream
// takes one write at a time.
class JoinService::Stream final
    : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::RouterMessage> {
 public:
  Stream(JoinService& service, ConnectionId id) : service_(service), id_(id) {}

  void Begin() { StartRead(&incoming_); }

  void Send(v1::RouterMessage message) {
    MutexLock lock(&mu_);
    if (closing_) return;
    outbox_.push_back(std::move(message));
    Pump();
  }

  void Close() {
    MutexLock lock(&mu_);
    closing_ = true;
    Pump();
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      service_.handler_.OnJoinMessage(id_, incoming_);
      incoming_.Clear();
      StartRead(&incoming_);
      return;
    }
    MutexLock lock(&mu_);
    closing_ = true;
    outbox_.clear();
    if (writing_) return;  // OnWriteDone goes on
    Pump();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) {
      closing_ = true;
      outbox_.clear();
    }
    Pump();
  }

  void OnDone() override {
    service_.Forget(id_);
    service_.handler_.OnJoinClosed(id_, "the control stream closed");
    delete this;
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_) return;
    if (!outbox_.empty()) {
      outgoing_ = std::move(outbox_.front());
      outbox_.pop_front();
      writing_ = true;
      StartWrite(&outgoing_);
    } else if (closing_) {
      finished_ = true;
      Finish(grpc::Status::OK);
    }
  }

  JoinService& service_;
  const ConnectionId id_;
  v1::WorkerMessage incoming_;  // owned by the read that is under way

  Mutex mu_;
  std::deque<v1::RouterMessage> outbox_ ABSL_GUARDED_BY(mu_);
  v1::RouterMessage outgoing_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

grpc::ServerBidiReactor<v1::WorkerMessage, v1::RouterMessage>* JoinService::Join(
    grpc::CallbackServerContext*) {
  Stream* stream = nullptr;
  bool closed = false;
  {
    MutexLock lock(&mu_);
    const ConnectionId id = next_++;
    stream = new Stream(*this, id);
    streams_[id] = stream;
    closed = closed_;
  }
  stream->Begin();
  if (closed) stream->Close();
  return stream;
}

void JoinService::Send(ConnectionId to, v1::RouterMessage message) {
  MutexLock lock(&mu_);
  const auto it = streams_.find(to);
  if (it != streams_.end()) it->second->Send(std::move(message));
}

void JoinService::Close(ConnectionId connection) {
  MutexLock lock(&mu_);
  const auto it = streams_.find(connection);
  if (it != streams_.end()) it->second->Close();
}

void JoinService::CloseAll() {
  MutexLock lock(&mu_);
  closed_ = true;
  for (const auto& [id, stream] : streams_) stream->Close();
}

void JoinService::Forget(ConnectionId connection) {
  MutexLock lock(&mu_);
  streams_.erase(connection);
}

}  // namespace shoal
