#include "services/router/cluster/protocol.h"

#include <tuple>

#include "absl/strings/str_cat.h"

#include "runtime/base/sha256.h"

namespace shoal {

namespace {

// Feeds fields into a digest so that no two sequences of fields give the same bytes: every string
// goes with its length, every number has eight bytes.
class FieldDigest {
 public:
  void Add(uint64_t n) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(n >> (8 * i));
    sha_.Update(bytes, sizeof(bytes));
  }
  void Add(absl::string_view text) {
    Add(static_cast<uint64_t>(text.size()));
    sha_.Update(text);
  }
  std::string Hex() { return HexOf(sha_.Finish()); }

 private:
  Sha256 sha_;
};

auto OrderOf(const v1::Epoch& epoch) { return std::tuple(epoch.number(), epoch.incarnation()); }

}  // namespace

bool operator==(const v1::Epoch& a, const v1::Epoch& b) { return OrderOf(a) == OrderOf(b); }
bool operator<(const v1::Epoch& a, const v1::Epoch& b) { return OrderOf(a) < OrderOf(b); }

bool operator==(const v1::WorkerId& a, const v1::WorkerId& b) {
  return a.name() == b.name() && a.incarnation() == b.incarnation();
}

std::string EpochText(const v1::Epoch& epoch) {
  return absl::StrCat(epoch.number(), "/", absl::Hex(epoch.incarnation(), absl::kZeroPad16));
}

std::string PlacementDigest(const v1::Placement& placement) {
  FieldDigest digest;
  digest.Add("shoal placement 1");
  digest.Add(placement.version());
  digest.Add(static_cast<uint64_t>(placement.layers()));
  digest.Add(static_cast<uint64_t>(placement.experts()));
  digest.Add(static_cast<uint64_t>(placement.ranks()));
  digest.Add(static_cast<uint64_t>(placement.slots_size()));
  for (int32_t slot : placement.slots()) digest.Add(static_cast<uint64_t>(slot));
  return digest.Hex();
}

std::string LayoutDigest(const google::protobuf::RepeatedPtrField<v1::Member>& members,
                         const v1::Placement& placement, const ModelDigests& model) {
  FieldDigest digest;
  digest.Add("shoal layout 1");
  digest.Add(static_cast<uint64_t>(members.size()));
  for (const v1::Member& member : members) {
    digest.Add(static_cast<uint64_t>(member.rank()));
    digest.Add(member.worker().name());
    digest.Add(member.worker().incarnation());
    digest.Add(member.mesh_address());
  }
  digest.Add(PlacementDigest(placement));
  digest.Add(model.config);
  digest.Add(model.weights);
  digest.Add(model.numerics);
  return digest.Hex();
}

}  // namespace shoal
