#include "services/router/router.h"

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "services/common/version.h"
#include "services/router/cluster/options.h"

namespace shoal {
namespace {

constexpr int kControlMessageBytes = 16 << 20;

// Room for a prompt at its limit, and what is around it.
int ApiMessageBytes(const v1::RouterConfig& config) {
  return config.max_prompt_bytes() + (1 << 20);
}

}  // namespace

absl::StatusOr<v1::RouterConfig> CompleteRouterConfig(v1::RouterConfig c) {
  if (c.cluster().empty()) c.set_cluster("shoal");
  if (c.model_folder().empty()) return absl::InvalidArgumentError("model_folder: not set");
  if (c.model_name().empty()) return absl::InvalidArgumentError("model_name: not set");
  if (c.api_listen().empty()) c.set_api_listen("127.0.0.1:50051");
  if (c.control_listen().empty()) c.set_control_listen("127.0.0.1:50052");
  if (c.metrics_listen().empty()) c.set_metrics_listen("127.0.0.1:9090");
  if (!c.has_max_generations()) c.set_max_generations(1024);
  if (!c.has_max_prompt_bytes()) c.set_max_prompt_bytes(1 << 20);
  if (!c.has_max_output_tokens()) c.set_max_output_tokens(0);
  if (!c.has_drain_seconds()) c.set_drain_seconds(30);
  if (c.max_generations() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_generations: ", c.max_generations(), " is below 1"));
  }
  if (c.max_prompt_bytes() < 1 || c.max_prompt_bytes() > (64 << 20)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_prompt_bytes: ", c.max_prompt_bytes(), " is outside [1, 67108864]"));
  }
  if (c.max_output_tokens() < 0 || c.drain_seconds() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_output_tokens and drain_seconds: ", c.max_output_tokens(), " and ",
                     c.drain_seconds(), ", neither may be below 0"));
  }
  return c;
}

absl::StatusOr<std::unique_ptr<Router>> Router::Start(const v1::RouterConfig& config,
                                                      const Clock& clock, Logger& log) {
  ASSIGN_OR_RETURN(ServedModel model,
                   LoadServedModel(config.model_folder(), config.model_name(),
                                   {.max_prompt_bytes = config.max_prompt_bytes(),
                                    .max_output_tokens = config.max_output_tokens()}));
  std::unique_ptr<Router> router(new Router(config, std::move(model), clock, log));
  RETURN_IF_ERROR(router->StartBackend());
  RETURN_IF_ERROR(router->StartServers());
  router->backend_->Start(*router->table_);
  router->UpdateHealth();
  return router;
}

Router::Router(const v1::RouterConfig& config, ServedModel model, const Clock& clock, Logger& log)
    : config_(config),
      model_(std::move(model)),
      clock_(clock),
      log_(log),
      process_metrics_(*registry_, "router", kVersion) {}

Router::~Router() { Drain(); }

absl::Status Router::StartBackend() {
  ASSIGN_OR_RETURN(
      MembershipOptions options,
      MakeMembershipOptions(config_, {.config_digest = model_.config.Digest(),
                                      .tokenizer_digest = model_.text.tokenizer->digest(),
                                      .moe_layers = model_.config.moe_layers(),
                                      .experts = model_.config.gate.experts}));
  backend_ = ClusterBackend::Create(
      std::move(options),
      {.clock = clock_, .log = log_, .metrics = metrics_, .process_metrics = process_metrics_});
  table_ =
      std::make_unique<GenerationTable>(config_.max_generations(), *backend_, clock_, metrics_);
  inference_ = std::make_unique<InferenceService>(model_, *table_, clock_, metrics_);
  models_ = std::make_unique<ModelsService>(model_, [this] {
    const ClusterBackend::Agreed agreed = backend_->agreed();
    return GroupModelFacts{agreed.weight_digest, agreed.numerics_id};
  });
  return absl::OkStatus();
}

absl::Status Router::StartServers() {
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen(), registry_));
  ASSIGN_OR_RETURN(control_, GrpcServer::Start({.listen = config_.control_listen(),
                                                .services = backend_->control_services(),
                                                .max_receive_bytes = kControlMessageBytes,
                                                .reflection = true}));
  ASSIGN_OR_RETURN(api_, GrpcServer::Start({.listen = config_.api_listen(),
                                            .services = {inference_.get(), models_.get()},
                                            .max_receive_bytes = ApiMessageBytes(config_),
                                            .reflection = true}));
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> Router::addresses() const {
  return {{"api", api_->address()},
          {"control", control_->address()},
          {"metrics", metrics_server_->address()}};
}

void Router::UpdateHealth() {
  const bool serving = !drained_ && backend_->Snapshot().serving;
  for (const char* service : {"", "readiness", "shoal.v1.Inference", "shoal.v1.Models"}) {
    api_->SetServing(service, serving);
  }
  api_->SetServing("liveness", true);
}

void Router::Drain() {
  if (drained_ || api_ == nullptr) return;
  drained_ = true;
  UpdateHealth();
  table_->Drain(clock_.Now() + absl::Seconds(config_.drain_seconds()));
  api_->Shutdown(absl::Seconds(1));
  backend_->Stop();
  control_->Shutdown(absl::Seconds(1));
}

}  // namespace shoal
