// The commands. Each prints its result; an error is the caller's to print.

#ifndef SHOAL_TOOLS_SHOALCTL_COMMAND_H_
#define SHOAL_TOOLS_SHOALCTL_COMMAND_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.grpc.pb.h"
#include "shoal/v1/inference.grpc.pb.h"

namespace shoal {

struct ChatStyle {
  bool color = false;     // dim the reasoning
  bool reasoning = true;  // print it at all
};

// Streams the answer to standard output; usage goes to standard error.
absl::Status Chat(v1::Inference::StubInterface& api, const v1::ChatRequest& request,
                  const ChatStyle& style);
absl::Status Models(v1::Models::StubInterface& api);
absl::Status Render(v1::Inference::StubInterface& api, const v1::ChatRequest& request);
absl::Status Tokenize(v1::Inference::StubInterface& api, const std::string& text);
absl::Status Status(v1::Cluster::StubInterface& control);
// Watches until the group serves, telling on standard error what it waits for.
absl::Status Wait(v1::Cluster::StubInterface& control, absl::Duration at_most);

}  // namespace shoal

#endif  // SHOAL_TOOLS_SHOALCTL_COMMAND_H_
