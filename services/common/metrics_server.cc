#include "services/common/metrics_server.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& listen, std::shared_ptr<prometheus::Registry> registry) {
  std::unique_ptr<MetricsServer> server(new MetricsServer());
  server->registry_ = std::move(registry);
  try {
    server->exposer_ = std::make_unique<prometheus::Exposer>(listen, /*num_threads=*/1);
  } catch (const std::exception&) {  // all that the library has is an exception without a cause
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", listen,
                                               ": the address is in use or not this machine's"));
  }
  server->exposer_->RegisterCollectable(server->registry_);
  const std::string host = listen.substr(0, listen.rfind(':'));
  server->address_ = absl::StrCat(host, ":", server->exposer_->GetListeningPorts().front());
  return server;
}

}  // namespace shoal
