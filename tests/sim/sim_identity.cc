#include "tests/sim/sim_identity.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"

namespace shoal {

MembershipOptions SimMembershipOptions(uint64_t incarnation, int group_size) {
  MembershipOptions options;
  options.expected = {.cluster = "sim",
                      .model = "m",
                      .config_digest = "c",
                      .tokenizer_digest = "t",
                      .weight_digest = "",
                      .numerics_id = "",
                      .group_size = group_size};
  options.incarnation = incarnation;
  options.key_secret = std::string(32, 'k');
  return options;
}

v1::Join SimJoin(int w, uint64_t incarnation) {
  v1::Join join;
  join.mutable_worker()->set_name(absl::StrCat("w", w));
  join.mutable_worker()->set_incarnation(incarnation);
  join.set_cluster("sim");
  join.set_protocol_min(kProtocolMin);
  join.set_protocol_max(kProtocolMax);
  join.set_mesh_address(absl::StrCat("mesh:", w));
  join.set_generate_address(absl::StrCat("generate:", w));
  join.set_model("m");
  join.set_config_digest("c");
  join.set_weight_digest("w");
  join.set_tokenizer_digest("t");
  join.set_numerics_id("n");
  join.set_desired_rank(-1);
  return join;
}

}  // namespace shoal
