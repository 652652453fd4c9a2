#include "services/router/cluster/cluster_service.h"

#include <utility>

#include "services/common/error.h"
#include "services/common/unknown_fields.h"

namespace shoal {

// Writes the newest state whenever the last write is done: a slow watcher misses states, not the
// latest.
class ClusterService::Watcher final : public grpc::ServerWriteReactor<v1::ClusterState> {
 public:
  explicit Watcher(ClusterService& service) : service_(service) {}

  void Show(const v1::ClusterState& state) {
    MutexLock lock(&mu_);
    next_ = state;
    fresh_ = true;
    Pump();
  }
  void End(grpc::Status status = grpc::Status::OK) {
    MutexLock lock(&mu_);
    if (!ending_) status_ = std::move(status);
    ending_ = true;
    fresh_ = false;
    Pump();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    ending_ |= !ok;
    Pump();
  }
  void OnCancel() override { End(); }
  void OnDone() override {
    service_.Forget(this);
    delete this;
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_) return;
    if (ending_) {
      finished_ = true;
      Finish(status_);
    } else if (fresh_) {
      current_.Swap(&next_);
      fresh_ = false;
      writing_ = true;
      StartWrite(&current_);
    }
  }

  ClusterService& service_;
  Mutex mu_;
  v1::ClusterState current_ ABSL_GUARDED_BY(mu_);
  v1::ClusterState next_ ABSL_GUARDED_BY(mu_);
  bool fresh_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mu_);  // to end with
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

void ClusterService::Publish(v1::ClusterState state) {
  std::string bytes = state.SerializeAsString();
  MutexLock lock(&mu_);
  if (bytes == bytes_) return;
  bytes_ = std::move(bytes);
  state_ = std::move(state);
  for (Watcher* watcher : watchers_) watcher->Show(state_);
}

void ClusterService::EndWatches() {
  MutexLock lock(&mu_);
  ended_ = true;
  for (Watcher* watcher : watchers_) watcher->End();
}

grpc::ServerUnaryReactor* ClusterService::Get(grpc::CallbackServerContext* context,
                                              const v1::GetClusterRequest* request,
                                              v1::ClusterState* response) {
  const absl::Status known = RefuseUnknownFields(*request);
  if (known.ok()) {
    MutexLock lock(&mu_);
    *response = state_;
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(known));
  return reactor;
}

grpc::ServerWriteReactor<v1::ClusterState>* ClusterService::Watch(
    grpc::CallbackServerContext*, const v1::GetClusterRequest* request) {
  auto* watcher = new Watcher(*this);
  if (const absl::Status known = RefuseUnknownFields(*request); !known.ok()) {
    watcher->End(ToGrpc(known));
    return watcher;
  }
  MutexLock lock(&mu_);
  watchers_.insert(watcher);
  watcher->Show(state_);
  if (ended_) watcher->End();
  return watcher;
}

void ClusterService::Forget(Watcher* watcher) {
  MutexLock lock(&mu_);
  watchers_.erase(watcher);
}

}  // namespace shoal
