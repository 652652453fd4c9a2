// Whether a worker fits this group: the refusal law at the cluster's door.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_ADMISSION_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_ADMISSION_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "shoal/v1/cluster.pb.h"

namespace shoal {

// What every worker of the group must bring. Cluster, model, config and tokenizer are the router's
// own; weight digest and numerics id are empty until the first worker that fits defines them.
struct Expected {
  std::string cluster, model, config_digest, tokenizer_digest;
  std::string weight_digest, numerics_id;
  int group_size = 0;
};

// Null when it fits; else the first field that does not, with both values.
std::optional<v1::Rejected> CheckJoin(const Expected& expected, const v1::Join& join);

v1::Rejected Rejection(absl::string_view field, absl::string_view expected,
                       absl::string_view actual, absl::string_view why = "");

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_ADMISSION_H_
