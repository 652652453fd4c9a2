// Between the wire and the runtime: the only place that knows both.

#ifndef SHOAL_SERVICES_WORKER_CONVERT_H_
#define SHOAL_SERVICES_WORKER_CONVERT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.pb.h"
#include "shoal/v1/worker.pb.h"

#include "runtime/engine/engine.h"
#include "runtime/engine/request.h"
#include "runtime/moe/placement.h"

namespace shoal {

// What the engine validates is left to it. INVALID_ARGUMENT: no generation id.
absl::StatusOr<Request> ToRequest(const v1::Submit& submit, absl::Time now);

v1::GenerationTokens ToProto(const StepOutput& output);

// How a generation ends that never ran.
v1::GenerationTokens EndedBy(const GenerationKey& key, const absl::Status& error);

v1::Load ToProto(const EngineLoad& load, int max_waiting);

// INVALID_ARGUMENT names the field: a placement from the wire is not trusted.
absl::StatusOr<ExpertPlacement> ToPlacement(const v1::Placement& placement);

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_CONVERT_H_
