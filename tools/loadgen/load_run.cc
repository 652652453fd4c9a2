#include "tools/loadgen/load_run.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/status_macros.h"
#include "services/common/channel.h"
#include "services/common/error.h"
#include "tools/loadgen/machine.h"
#include "tools/loadgen/runner.h"
#include "tools/loadgen/trace.h"
#include "tools/loadgen/workload.h"

namespace shoal::loadgen {
namespace {

constexpr int kMaxConnections = 256;
constexpr std::chrono::seconds kConnectWithin(5);

absl::Status Bad(absl::string_view flag, absl::string_view value, absl::string_view bound) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", value, ": outside ", bound));
}

absl::Status CheckPositive(absl::string_view flag, absl::Duration time) {
  if (time > absl::ZeroDuration()) return absl::OkStatus();
  return Bad(flag, absl::FormatDuration(time), "(0, inf]");
}

// All of them connected, so that no request pays for it.
absl::StatusOr<std::vector<std::shared_ptr<grpc::Channel>>> Connect(const LoadOptions& options) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < options.connections; ++i) channels.push_back(DialChannel(options.api));
  for (const auto& channel : channels) {
    if (channel->WaitForConnected(std::chrono::system_clock::now() + kConnectWithin)) continue;
    return absl::UnavailableError(absl::StrCat("--api=", options.api, ": nobody answered within ",
                                               kConnectWithin.count(), " s"));
  }
  return channels;
}

absl::StatusOr<v1::Model> ServedModel(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kConnectWithin);
  v1::Model model;
  RETURN_IF_ERROR(
      Annotate(FromGrpc(v1::Models::NewStub(channel)->Get(&context, {}, &model)), "Models.Get"));
  return model;
}

}  // namespace

absl::Status CheckOptions(const LoadOptions& options) {
  RETURN_IF_ERROR(CheckSpec(options.workload));
  if (options.connections < 1 || options.connections > kMaxConnections) {
    return Bad("connections", absl::StrCat(options.connections),
               absl::StrCat("[1, ", kMaxConnections, "]"));
  }
  RETURN_IF_ERROR(CheckPositive("slo_ttft", options.slo.ttft));
  RETURN_IF_ERROR(CheckPositive("slo_tpot", options.slo.tpot));
  RETURN_IF_ERROR(CheckPositive("drain", options.drain));
  return CheckPositive("max_lag", options.max_lag);
}

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  std::vector<TraceLine> trace;
  if (options.workload.arrivals.kind == ArrivalSpec::Kind::kTrace) {
    ASSIGN_OR_RETURN(trace, ReadTrace(options.workload.arrivals.trace_file));
  }
  ASSIGN_OR_RETURN(const auto channels, Connect(options));
  ASSIGN_OR_RETURN(const v1::Model model, ServedModel(channels[0]));
  ASSIGN_OR_RETURN(const Workload workload,
                   Workload::Create(options.workload, std::move(trace), model));
  std::vector<std::unique_ptr<v1::Inference::Stub>> stubs;
  for (const auto& channel : channels) stubs.push_back(v1::Inference::NewStub(channel));

  Runner runner(workload, stubs, options.drain, RealClock::Get());
  const double cpu_before = ProcessCpuSeconds();
  const std::vector<RequestRecord> records = runner.Run();
  const double cpu_seconds = ProcessCpuSeconds() - cpu_before;
  LoadResult result = {.run = {.workload = options.workload,
                               .workload_digest = workload.Digest(std::ssize(records)),
                               .model = model,
                               .machine = ThisMachine(),
                               .generator_cpu_seconds = cpu_seconds},
                       .report = ReportOf(records, options.slo, options.max_lag)};
  return result;
}

}  // namespace shoal::loadgen
