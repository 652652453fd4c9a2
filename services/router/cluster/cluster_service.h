// Cluster.Get and Cluster.Watch: the group as operators see it.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_SERVICE_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_SERVICE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "shoal/v1/cluster.grpc.pb.h"

#include "runtime/base/mutex.h"

namespace shoal {

// Any thread.
class ClusterService final : public v1::Cluster::CallbackService {
 public:
  // What Get answers and Watch streams from now on. Called as often as Watch may write.
  void Publish(v1::ClusterState state);
  void EndWatches();

  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetClusterRequest* request,
                                v1::ClusterState* response) override;
  grpc::ServerWriteReactor<v1::ClusterState>* Watch(grpc::CallbackServerContext* context,
                                                    const v1::GetClusterRequest* request) override;

 private:
  class Watcher;
  void Forget(Watcher* watcher);

  Mutex mu_;
  v1::ClusterState state_ ABSL_GUARDED_BY(mu_);
  std::string bytes_ ABSL_GUARDED_BY(mu_);  // of state_, to see a change
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_SERVICE_H_
