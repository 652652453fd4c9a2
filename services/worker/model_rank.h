// A rank over a real device, model, engine and mesh.

#ifndef SHOAL_SERVICES_WORKER_MODEL_RANK_H_
#define SHOAL_SERVICES_WORKER_MODEL_RANK_H_

#include <memory>
#include <string>

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "runtime/comm/tcp/mesh.h"
#include "runtime/device/device.h"
#include "runtime/engine/engine.h"
#include "runtime/metrics/engine_metrics.h"
#include "runtime/metrics/process_metrics.h"
#include "runtime/model/config.h"
#include "services/worker/generate_service.h"
#include "services/worker/rank.h"

namespace shoal {

struct ModelRankOptions {
  std::string cluster;
  std::string model_folder;
  DeepSeekConfig config;
  EngineOptions engine;
};

// All outlive the rank.
struct ModelRankSurroundings {
  Device& device;
  MeshListener& mesh;
  GenerateService& tokens;
  EngineMetrics& engine_metrics;
  ProcessMetrics& process_metrics;
  Clock& clock;
  Logger& log;
};

// Keeps the share of (rank, placement) that it holds: building the same one again reads nothing.
// A thread of its own does the work; the listener is called from it.
std::unique_ptr<Rank> NewModelRank(ModelRankOptions options, const ModelRankSurroundings& around,
                                   RankListener& listener);

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_MODEL_RANK_H_
