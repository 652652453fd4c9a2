#include "services/common/unknown_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "shoal/v1/inference.pb.h"

namespace shoal {
namespace {

void PlantUnknown(google::protobuf::Message* message) {
  message->GetReflection()->MutableUnknownFields(message)->AddVarint(77, 1);
}

TEST(UnknownFieldsTest, KnownOnesPass) {
  v1::ChatRequest request;
  request.add_messages()->add_tool_calls()->set_name("f");
  request.mutable_sampling()->set_seed(1);
  EXPECT_TRUE(RefuseUnknownFields(request).ok());
}

TEST(UnknownFieldsTest, ThePathIsNamedAtAnyDepth) {
  v1::ChatRequest request;
  request.add_messages();
  PlantUnknown(request.add_messages()->add_tool_calls());
  const absl::Status status = RefuseUnknownFields(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("messages[1].tool_calls[0].77"), std::string::npos) << status;
  EXPECT_NE(status.message().find("shoal.v1.ToolCall"), std::string::npos) << status;

  v1::ChatRequest top;
  PlantUnknown(&top);
  EXPECT_EQ(RefuseUnknownFields(top).message().substr(0, 3), "77:");
}

}  // namespace
}  // namespace shoal
