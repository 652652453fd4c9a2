// shoal-router --config FILE: takes requests, holds the group together. See the folder's README.

#include <cstdio>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/base/logging.h"
#include "runtime/base/status_macros.h"
#include "services/common/config_file.h"
#include "services/common/process.h"
#include "services/router/router.h"

ABSL_FLAG(std::string, config, "", "textproto file of shoal.v1.RouterConfig");
ABSL_FLAG(std::string, model_folder, "", "overrides the file's model_folder");
ABSL_FLAG(std::string, api_listen, "", "overrides the file's api_listen (HOST:PORT, port 0 picks)");
ABSL_FLAG(std::string, control_listen, "", "overrides the file's control_listen");
ABSL_FLAG(std::string, metrics_listen, "", "overrides the file's metrics_listen");

namespace shoal {
namespace {

absl::StatusOr<v1::RouterConfig> ConfigFromFlags() {
  v1::RouterConfig config;
  RETURN_IF_ERROR(ReadConfigFile(absl::GetFlag(FLAGS_config), &config));
  const auto override_with = [](const std::string& flag, std::string* field) {
    if (!flag.empty()) *field = flag;
  };
  override_with(absl::GetFlag(FLAGS_model_folder), config.mutable_model_folder());
  override_with(absl::GetFlag(FLAGS_api_listen), config.mutable_api_listen());
  override_with(absl::GetFlag(FLAGS_control_listen), config.mutable_control_listen());
  override_with(absl::GetFlag(FLAGS_metrics_listen), config.mutable_metrics_listen());
  return CompleteRouterConfig(config);
}

absl::Status Run(Logger& log) {
  ASSIGN_OR_RETURN(const v1::RouterConfig config, ConfigFromFlags());
  ASSIGN_OR_RETURN(const std::unique_ptr<Router> router,
                   Router::Start(config, RealClock::Get(), log));
  PrintReady(router->addresses());
  log.Info("router ready", {{"cluster", config.cluster()}, {"model", config.model_name()}});
  while (WaitForSignal(absl::Milliseconds(250)) == 0) router->UpdateHealth();
  log.Info("draining", {{"seconds", config.drain_seconds()}});
  router->Drain();
  return absl::OkStatus();
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  shoal::ForbidCoreDumps();
  shoal::BlockSignals();
  absl::SetProgramUsageMessage("The router of a Shoal cluster: shoal-router --config FILE");
  absl::ParseCommandLine(argc, argv);
  shoal::StderrSink sink;
  shoal::Logger log(sink);
  const absl::Status status = shoal::Run(log);
  if (status.ok()) return 0;
  log.Error("router stopped", {{"error", status}});
  return 1;
}
