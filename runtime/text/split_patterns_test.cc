#include "runtime/text/split_patterns.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(SplitPatternsTest, UnknownPatternsAreNamed) {
  EXPECT_FALSE(CompilePreTokenizer({}).ok());
  const auto status = CompilePreTokenizer({R"(\p{N}{1,3})", "[a-z]+"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("[a-z]+"), std::string::npos) << status;
  EXPECT_NE(status.message().find("split 1"), std::string::npos) << status;
  EXPECT_FALSE(CompilePreTokenizer({R"(\p{N}{1,3})"}).ok());
}

}  // namespace
}  // namespace shoal
