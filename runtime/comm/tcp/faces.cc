#include "runtime/comm/tcp/faces.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"

namespace shoal::internal {
namespace {

class MeshCommunicator final : public Communicator {
 public:
  explicit MeshCommunicator(std::shared_ptr<Group> group) : group_(std::move(group)) {}

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  void BeginAllToAll(int channel, absl::Span<const ConstBytes> to_peer) override {
    group_->BeginAllToAll(channel, to_peer);
  }
  void EndAllToAll(int channel, Arena& arena, std::vector<Bytes>* from_peer) override {
    group_->EndAllToAll(channel, arena, from_peer);
  }
  void Abort(absl::Status why) override { group_->Abort(why); }
  absl::Status status() const override { return group_->status(); }
  Traffic traffic() const override { return group_->traffic(); }

 private:
  const std::shared_ptr<Group> group_;
};

class MeshAgreement final : public Agreement {
 public:
  explicit MeshAgreement(std::shared_ptr<Group> group) : group_(std::move(group)) {}

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine) override {
    return group_->Exchange(mine);
  }
  absl::Status Sleep() override { return group_->Sleep(); }
  void Wake() override { group_->Wake(); }
  void Abort(absl::Status why) override { group_->Abort(why); }
  absl::Status status() const override { return group_->status(); }

 private:
  const std::shared_ptr<Group> group_;
};

}  // namespace

MeshGroup FacesOf(std::shared_ptr<Group> group) {
  return {std::make_unique<MeshCommunicator>(group), std::make_unique<MeshAgreement>(group)};
}

}  // namespace shoal::internal
