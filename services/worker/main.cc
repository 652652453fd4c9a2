// shoal-worker --config FILE: one rank of a group. See the folder's README.
//
// Exit codes: 0 left in order, 1 could not start, 3 rejected by the router, 4 could not load its
// share of the weights.

#include <memory>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "runtime/base/status_macros.h"
#include "services/common/config_file.h"
#include "services/common/process.h"
#include "services/worker/worker.h"

ABSL_FLAG(std::string, config, "", "textproto file of shoal.v1.WorkerConfig");
ABSL_FLAG(std::string, name, "", "overrides the file's name");
ABSL_FLAG(std::string, model_folder, "", "overrides the file's model_folder");
ABSL_FLAG(std::string, router, "", "overrides the file's router (HOST:PORT)");
ABSL_FLAG(int32_t, rank, -1, "overrides the file's rank; -1 does not");
ABSL_FLAG(std::string, device, "", "overrides the file's device");
ABSL_FLAG(std::string, metrics_listen, "", "overrides the file's metrics_listen");

namespace shoal {
namespace {

constexpr int kCannotStart = 1, kRejected = 3, kCannotLoad = 4;

absl::StatusOr<v1::WorkerConfig> ConfigFromFlags() {
  v1::WorkerConfig config;
  RETURN_IF_ERROR(ReadConfigFile(absl::GetFlag(FLAGS_config), &config));
  const auto override_with = [](const std::string& flag, std::string* field) {
    if (!flag.empty()) *field = flag;
  };
  override_with(absl::GetFlag(FLAGS_name), config.mutable_name());
  override_with(absl::GetFlag(FLAGS_model_folder), config.mutable_model_folder());
  override_with(absl::GetFlag(FLAGS_router), config.mutable_router());
  override_with(absl::GetFlag(FLAGS_device), config.mutable_device());
  override_with(absl::GetFlag(FLAGS_metrics_listen), config.mutable_metrics_listen());
  if (absl::GetFlag(FLAGS_rank) >= 0) config.set_rank(absl::GetFlag(FLAGS_rank));
  return CompleteWorkerConfig(config);
}

int ExitCode(const StopWorker& stop) {
  switch (stop.cause) {
    case StopWorker::Cause::kReleased:
      return 0;
    case StopWorker::Cause::kRejected:
      return kRejected;
    case StopWorker::Cause::kCannotLoad:
      return kCannotLoad;
  }
  return kCannotStart;
}

absl::StatusOr<int> Run(Logger& log) {
  ASSIGN_OR_RETURN(const v1::WorkerConfig config, ConfigFromFlags());
  ASSIGN_OR_RETURN(const std::unique_ptr<Worker> worker,
                   Worker::Start(config, RealClock::Get(), log));
  PrintReady(worker->addresses());
  log.Info("worker ready", {{"name", config.name()}, {"router", config.router()}});
  while (WaitForSignal(absl::Milliseconds(100)) == 0) {
    const std::optional<StopWorker> ended = worker->ended();
    if (!ended) continue;
    log.Error("worker stops", {{"why", ended->why}});
    return ExitCode(*ended);
  }
  log.Info("draining", {{"seconds", config.drain_seconds()}});
  worker->Drain();
  log.Info("left");
  return 0;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  shoal::ForbidCoreDumps();
  shoal::BlockSignals();
  absl::SetProgramUsageMessage("One rank of a Shoal cluster: shoal-worker --config FILE");
  absl::ParseCommandLine(argc, argv);
  shoal::StderrSink sink;
  shoal::Logger log(sink);
  const absl::StatusOr<int> code = shoal::Run(log);
  if (code.ok()) return *code;
  log.Error("worker could not start", {{"error", code.status()}});
  return shoal::kCannotStart;
}
