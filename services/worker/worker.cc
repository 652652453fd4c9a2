#include "services/worker/worker.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

#include "runtime/base/random64.h"
#include "runtime/base/status_macros.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/numerics.h"
#include "runtime/device/reference/reference_device.h"
#include "services/common/version.h"
#include "services/router/cluster/protocol.h"
#include "services/worker/model_rank.h"

namespace shoal {

namespace {

constexpr char kReference[] = "reference";
constexpr absl::Duration kLookForRelease = absl::Milliseconds(20);

absl::StatusOr<Isa> ParseDevice(absl::string_view device) {
  if (device == "cpu") return Isa::kBest;
  absl::string_view isa = device;
  if (absl::ConsumePrefix(&isa, "cpu/")) {
    for (Isa known : {Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kPortable}) {
      if (std::string(IsaName(known)) == isa) return known;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("device: ", device,
                   " is none of cpu, cpu/amx, cpu/avx512, cpu/avx2, cpu/portable, ", kReference));
}

absl::Status CheckPositive(absl::string_view field, int64_t value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", value, " is below 1"));
}

absl::Status CheckSizes(const v1::WorkerConfig& c) {
  RETURN_IF_ERROR(CheckPositive("threads", c.threads()));
  RETURN_IF_ERROR(CheckPositive("max_sequences", c.max_sequences()));
  RETURN_IF_ERROR(CheckPositive("max_waiting", c.max_waiting()));
  RETURN_IF_ERROR(CheckPositive("max_batch_tokens", c.max_batch_tokens()));
  RETURN_IF_ERROR(CheckPositive("kv_blocks", c.kv_blocks()));
  if (c.drain_seconds() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("drain_seconds: ", c.drain_seconds(), " is below 0"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::WorkerConfig> CompleteWorkerConfig(v1::WorkerConfig c) {
  if (c.cluster().empty()) c.set_cluster("shoal");
  if (c.name().empty()) return absl::InvalidArgumentError("name: not set");
  if (c.model_folder().empty()) return absl::InvalidArgumentError("model_folder: not set");
  if (c.model_name().empty()) return absl::InvalidArgumentError("model_name: not set");
  if (c.router().empty()) c.set_router("127.0.0.1:50052");
  if (c.mesh_listen().empty()) c.set_mesh_listen("127.0.0.1:0");
  if (c.generate_listen().empty()) c.set_generate_listen("127.0.0.1:0");
  if (c.metrics_listen().empty()) c.set_metrics_listen("127.0.0.1:0");
  if (c.failure_domain().empty()) c.set_failure_domain(c.name());
  if (!c.has_rank()) c.set_rank(-1);
  if (c.device().empty()) c.set_device("cpu");
  const EngineOptions defaults;
  if (!c.has_threads()) c.set_threads(1);
  if (!c.has_max_sequences()) c.set_max_sequences(defaults.max_sequences);
  if (!c.has_max_waiting()) c.set_max_waiting(defaults.max_waiting);
  if (!c.has_max_batch_tokens()) c.set_max_batch_tokens(defaults.max_batch_tokens);
  if (!c.has_kv_blocks()) c.set_kv_blocks(defaults.kv_blocks);
  if (!c.has_drain_seconds()) c.set_drain_seconds(30);
  RETURN_IF_ERROR(CheckSizes(c));
  return c;
}

Worker::Worker(const v1::WorkerConfig& config, Clock& clock, Logger& log)
    : config_(config), clock_(clock), log_(log), process_metrics_(*registry_, "worker", kVersion) {
  id_.set_name(config.name());
  id_.set_incarnation(Random64());
}

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(const v1::WorkerConfig& config, Clock& clock,
                                                      Logger& log) {
  std::unique_ptr<Worker> worker(new Worker(config, clock, log));
  RETURN_IF_ERROR(worker->OpenDevice());
  RETURN_IF_ERROR(worker->StartServers());
  RETURN_IF_ERROR(worker->StartControl());
  return worker;
}

Worker::~Worker() {
  if (control_ != nullptr) control_->Stop();
  rank_.reset();  // its engine ends what still runs; the streams carry that away
  if (tokens_ != nullptr) tokens_->EndStreams();
  if (server_ != nullptr) server_->Shutdown(absl::Seconds(1));
}

absl::Status Worker::OpenDevice() {
  std::string numerics;
  if (config_.device() == kReference) {
    device_ = NewReferenceDevice();
    numerics = "reference-1";
  } else {
    ASSIGN_OR_RETURN(const Isa isa, ParseDevice(config_.device()));
    ASSIGN_OR_RETURN(device_, NewCpuDevice({.isa = isa, .threads = config_.threads()}));
    numerics = numerics_id();
  }
  ASSIGN_OR_RETURN(model_, ReadModelIdentity(config_.model_folder(), numerics));
  engine_metrics_ = std::make_unique<EngineMetrics>(*registry_, model_.config.moe_layers(),
                                                    model_.config.gate.experts);
  return absl::OkStatus();
}

absl::Status Worker::StartServers() {
  ASSIGN_OR_RETURN(mesh_, MeshListener::Bind(config_.mesh_listen()));
  tokens_ = std::make_unique<GenerateService>(
      GenerateService::Options{.cluster = config_.cluster(), .worker = id_}, clock_);
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics_listen(), registry_));
  ASSIGN_OR_RETURN(server_, GrpcServer::Start({.listen = config_.generate_listen(),
                                               .services = {tokens_.get()},
                                               .max_receive_bytes = 16 << 20}));
  server_->SetServing("", true);
  return absl::OkStatus();
}

v1::Join Worker::Identity() const {
  v1::Join join;
  *join.mutable_worker() = id_;
  join.set_cluster(config_.cluster());
  join.set_protocol_min(kProtocolMin);
  join.set_protocol_max(kProtocolMax);
  join.set_mesh_address(mesh_->address());
  join.set_generate_address(server_->address());
  join.set_failure_domain(config_.failure_domain());
  join.set_model(config_.model_name());
  join.set_config_digest(model_.config_digest);
  join.set_weight_digest(model_.weight_digest);
  join.set_tokenizer_digest(model_.tokenizer_digest);
  join.set_numerics_id(model_.numerics_id);
  join.set_desired_rank(config_.rank());
  join.set_build_version(kVersion);
  return join;
}

absl::Status Worker::StartControl() {
  control_ = WorkerControl::Create({.router = config_.router(),
                                    .identity = Identity(),
                                    .on_beat = [this] { tokens_->CancelOrphans(); }},
                                   clock_, log_);
  ModelRankOptions options;
  options.cluster = config_.cluster();
  options.model_folder = config_.model_folder();
  options.config = model_.config;
  options.engine.max_sequences = config_.max_sequences();
  options.engine.max_waiting = config_.max_waiting();
  options.engine.max_batch_tokens = config_.max_batch_tokens();
  options.engine.kv_blocks = config_.kv_blocks();
  rank_ = NewModelRank(std::move(options),
                       {.device = *device_,
                        .mesh = *mesh_,
                        .tokens = *tokens_,
                        .engine_metrics = *engine_metrics_,
                        .process_metrics = process_metrics_,
                        .clock = clock_,
                        .log = log_},
                       control_->rank_listener());
  control_->Start(*rank_);
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> Worker::addresses() const {
  return {{"generate", server_->address()},
          {"mesh", mesh_->address()},
          {"metrics", metrics_server_->address()}};
}

void Worker::Drain() {
  const absl::Duration grace = absl::Seconds(config_.drain_seconds());
  const absl::Time deadline = clock_.Now() + grace;
  control_->Leave(grace);
  rank_->Drain(deadline);  // this rank's own; then the others', as the router sees them
  while (control_->live() && !ended() && clock_.Now() < deadline) {
    absl::SleepFor(kLookForRelease);
  }
}

}  // namespace shoal
