// The configurations that ship parse, pass their binaries' checks and fit each other.

#include <gtest/gtest.h>

#include "shoal/v1/config.pb.h"

#include "services/common/config_file.h"
#include "services/router/router.h"
#include "services/worker/worker.h"

namespace shoal {
namespace {

TEST(ConfigTest, TheLocalClusterFitsTogether) {
  v1::RouterConfig router;
  const absl::Status read = ReadConfigFile("deploy/local/router.textproto", &router);
  ASSERT_TRUE(read.ok()) << read;
  const auto complete_router = CompleteRouterConfig(router);
  ASSERT_TRUE(complete_router.ok()) << complete_router.status();

  v1::WorkerConfig worker;
  const absl::Status read_worker = ReadConfigFile("deploy/local/worker.textproto", &worker);
  ASSERT_TRUE(read_worker.ok()) << read_worker;
  const auto complete_worker = CompleteWorkerConfig(worker);
  ASSERT_TRUE(complete_worker.ok()) << complete_worker.status();

  EXPECT_EQ(complete_worker->cluster(), complete_router->cluster());
  EXPECT_EQ(complete_worker->model_folder(), complete_router->model_folder());
  EXPECT_EQ(complete_worker->model_name(), complete_router->model_name());
  EXPECT_EQ(complete_worker->router(), complete_router->control_listen());
  EXPECT_LT(complete_worker->rank(), complete_router->group_size());
}

}  // namespace
}  // namespace shoal
