#include "services/common/config_file.h"

#include <gtest/gtest.h>

#include "shoal/v1/config.pb.h"

namespace shoal {
namespace {

TEST(ConfigFileTest, ReadsFields) {
  v1::RouterConfig config;
  ASSERT_TRUE(ParseConfig("cluster: \"c\" group_size: 4 # a comment", "x", &config).ok());
  EXPECT_EQ(config.cluster(), "c");
  EXPECT_EQ(config.group_size(), 4);
}

TEST(ConfigFileTest, AnUnknownFieldIsAnErrorWithItsPlace) {
  v1::RouterConfig config;
  const absl::Status status =
      ParseConfig("cluster: \"c\"\ngroup_sise: 4", "router.textproto", &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("router.textproto:2:"), std::string::npos) << status;
  EXPECT_NE(status.message().find("group_sise"), std::string::npos) << status;
}

TEST(ConfigFileTest, AFieldGivenTwiceIsAnError) {
  v1::RouterConfig config;
  EXPECT_FALSE(ParseConfig("group_size: 4 group_size: 5", "x", &config).ok());
}

TEST(ConfigFileTest, AMissingFileIsNamed) {
  v1::RouterConfig config;
  const absl::Status status = ReadConfigFile("/nonexistent/router.textproto", &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("/nonexistent/router.textproto"), std::string::npos);
}

}  // namespace
}  // namespace shoal
