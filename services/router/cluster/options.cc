#include "services/router/cluster/options.h"

#include "absl/strings/str_cat.h"

#include "runtime/base/random64.h"
#include "runtime/base/status_macros.h"
#include "runtime/moe/placement.h"

namespace shoal {

namespace {

// Two beats may be late before a worker is taken for lost.
constexpr int kBeatsPerLease = 3;

absl::Status SetTimes(const v1::RouterConfig& config, MembershipOptions* options) {
  if (config.has_beat_millis()) options->beat = absl::Milliseconds(config.beat_millis());
  if (config.has_lease_millis()) options->lease = absl::Milliseconds(config.lease_millis());
  if (config.has_step_deadline_millis()) {
    options->step_deadline = absl::Milliseconds(config.step_deadline_millis());
  }
  if (options->beat <= absl::ZeroDuration() || options->lease < options->beat * kBeatsPerLease) {
    return absl::InvalidArgumentError(
        absl::StrCat("lease_millis is ", absl::ToInt64Milliseconds(options->lease),
                     ", beat_millis ", absl::ToInt64Milliseconds(options->beat),
                     ": the lease must hold ", kBeatsPerLease, " beats"));
  }
  if (options->step_deadline <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "step_deadline_millis is ", config.step_deadline_millis(), ", it must be positive"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MembershipOptions> MakeMembershipOptions(const v1::RouterConfig& config,
                                                        const ModelShape& model) {
  MembershipOptions options;
  if (config.cluster().empty()) return absl::InvalidArgumentError("cluster is empty");
  if (config.group_size() <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_size is ", config.group_size(), ", it must be positive"));
  }
  RETURN_IF_ERROR(SetTimes(config, &options));
  options.expected = {.cluster = config.cluster(),
                      .model = config.model_name(),
                      .config_digest = model.config_digest,
                      .tokenizer_digest = model.tokenizer_digest,
                      .weight_digest = "",
                      .numerics_id = "",
                      .group_size = config.group_size()};
  do {
    options.incarnation = Random64();
  } while (options.incarnation == 0);
  options.key_secret = RandomBytes(32);
  options.placement.set_version(1);
  options.placement.set_ranks(config.group_size());
  if (model.moe_layers == 0) return options;
  absl::StatusOr<ExpertPlacement> placement =
      ExpertPlacement::Contiguous(model.moe_layers, model.experts, config.group_size());
  if (!placement.ok()) return Annotate(placement.status(), "group_size");
  options.placement.set_version(placement->version());
  options.placement.set_layers(placement->layers());
  options.placement.set_experts(placement->experts());
  for (int32_t slot : placement->slots()) options.placement.add_slots(slot);
  return options;
}

}  // namespace shoal
