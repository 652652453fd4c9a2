// shoalctl COMMAND [ARGUMENT]: see the folder's README.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"

#include "services/common/error.h"
#include "tools/shoalctl/command.h"

ABSL_FLAG(std::string, api, "127.0.0.1:50051", "the router's API port");
ABSL_FLAG(std::string, control, "127.0.0.1:50052", "the router's control port");
ABSL_FLAG(std::optional<float>, temperature, std::nullopt, "chat: 0 is greedy");
ABSL_FLAG(std::optional<uint64_t>, seed, std::nullopt, "chat: the same seed, the same answer");
ABSL_FLAG(std::optional<int32_t>, max_tokens, std::nullopt, "chat: output tokens, reasoning too");
ABSL_FLAG(bool, reasoning, true, "chat: show the reasoning");
ABSL_FLAG(absl::Duration, timeout, absl::Minutes(2), "wait: give up after so long");

namespace shoal {
namespace {

constexpr char kUsage[] =
    "shoalctl chat QUESTION | models | status | wait | render QUESTION | tokenize TEXT";
constexpr char kFlags[] =
    "  --api=HOST:PORT --control=HOST:PORT   (127.0.0.1:50051, :50052)\n"
    "  chat: --temperature=T --seed=N --max_tokens=N --noreasoning; wait: --timeout=2m";

v1::ChatRequest RequestFor(const std::string& question) {
  v1::ChatRequest request;
  v1::Message* message = request.add_messages();
  message->set_role(v1::Message::USER);
  message->set_content(question);
  if (const auto t = absl::GetFlag(FLAGS_temperature)) {
    request.mutable_sampling()->set_temperature(*t);
  }
  if (const auto seed = absl::GetFlag(FLAGS_seed)) request.mutable_sampling()->set_seed(*seed);
  if (const auto n = absl::GetFlag(FLAGS_max_tokens)) {
    request.mutable_stop()->set_max_output_tokens(*n);
  }
  return request;
}

absl::Status Run(const std::string& command, const std::optional<std::string>& argument) {
  const auto channel = [](const std::string& address) {
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  };
  if (command == "status" || command == "wait") {
    const auto control = v1::Cluster::NewStub(channel(absl::GetFlag(FLAGS_control)));
    return command == "status" ? Status(*control) : Wait(*control, absl::GetFlag(FLAGS_timeout));
  }
  const auto api_channel = channel(absl::GetFlag(FLAGS_api));
  if (command == "models") return Models(*v1::Models::NewStub(api_channel));
  const auto api = v1::Inference::NewStub(api_channel);
  if (command != "chat" && command != "render" && command != "tokenize") {
    return absl::InvalidArgumentError(absl::StrCat("unknown command \"", command, "\"; ", kUsage));
  }
  if (!argument.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(command, " needs an argument; ", kUsage));
  }
  if (command == "chat") {
    return Chat(*api, RequestFor(*argument),
                {.color = isatty(STDOUT_FILENO) == 1, .reasoning = absl::GetFlag(FLAGS_reasoning)});
  }
  if (command == "render") return Render(*api, RequestFor(*argument));
  return Tokenize(*api, *argument);
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(absl::StrCat(shoal::kUsage, "\n", shoal::kFlags));
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  if (words.size() < 2 || words.size() > 3) {
    std::fprintf(stderr, "%s\n%s\n", shoal::kUsage, shoal::kFlags);
    return 2;
  }
  const absl::Status status =
      shoal::Run(words[1], words.size() == 3 ? std::optional<std::string>(words[2]) : std::nullopt);
  if (status.ok()) return 0;
  const std::string reason = shoal::ReasonOf(status);
  std::fprintf(
      stderr, "shoalctl: %s%s\n",
      absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()).c_str(),
      reason.empty() ? "" : absl::StrCat(" (", reason, ")").c_str());
  return 1;
}
