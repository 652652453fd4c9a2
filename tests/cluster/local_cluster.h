// A cluster of real processes on loopback.

#ifndef SHOAL_TESTS_CLUSTER_LOCAL_CLUSTER_H_
#define SHOAL_TESTS_CLUSTER_LOCAL_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.grpc.pb.h"
#include "shoal/v1/config.pb.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "tests/cluster/process.h"

namespace shoal {

// Writes a folder with the shipped model's config and tokenizer and random weights; `change` may
// edit config.json's text first. Existing files are replaced.
absl::Status WriteRandomModel(const std::string& folder, uint64_t seed,
                              const std::function<std::string(std::string)>& change = nullptr);

// A stream of Inference.Generate under way, or over.
class Stream {
 public:
  // Token ids in, greedy, at most `max_tokens` out.
  Stream(v1::Inference::Stub& stub, const std::vector<int32_t>& prompt, int max_tokens);
  ~Stream();
  // Reads until `tokens` more output tokens came or the stream ended.
  void Read(size_t tokens);
  // Reads to the end; its status.
  absl::Status Finish();
  const std::vector<int32_t>& ids() const { return ids_; }
  bool finished_event() const { return finished_event_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateEvent>> reader_;
  std::vector<int32_t> ids_;
  bool finished_event_ = false;
  bool ended_ = false;
};

// Folders, configs and logs under one directory. One thread, but stubs may be used from any.
class LocalCluster {
 public:
  LocalCluster(std::string directory, std::string model_folder, int ranks);

  // Ports that the router had before are asked for again, so that it can be restarted.
  absl::Status StartRouter();
  // `change` edits the worker's config.
  absl::Status StartWorker(const std::string& name,
                           const std::function<void(v1::WorkerConfig&)>& change = nullptr);
  // Names "w0" ...; the router first.
  absl::Status StartAll();

  Process& router() { return *router_; }
  Process& worker(const std::string& name) { return *workers_.at(name); }

  v1::Inference::Stub& inference() { return *inference_; }
  v1::Cluster::Stub& cluster() { return *cluster_; }
  const std::string& control_address() const { return control_address_; }

  // The newest state.
  absl::StatusOr<v1::ClusterState> State();
  // Watches until `wanted` holds; DEADLINE_EXCEEDED with the last state.
  absl::StatusOr<v1::ClusterState> WaitState(
      const std::function<bool(const v1::ClusterState&)>& wanted, absl::Duration at_most);
  absl::StatusOr<v1::ClusterState> WaitServing(absl::Duration at_most = absl::Seconds(60));

 private:
  std::string Write(const std::string& name, const google::protobuf::Message& config) const;

  const std::string directory_, model_folder_;
  const int ranks_;
  std::string api_address_ = "127.0.0.1:0", control_address_ = "127.0.0.1:0";
  std::map<std::string, std::unique_ptr<Process>> workers_;
  std::unique_ptr<Process> router_;
  std::unique_ptr<v1::Inference::Stub> inference_;
  std::unique_ptr<v1::Cluster::Stub> cluster_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_CLUSTER_LOCAL_CLUSTER_H_
