#include "services/common/grpc_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "shoal/v1/inference.grpc.pb.h"

#include "services/common/listener.h"

namespace shoal {
namespace {

class EchoModels : public v1::Models::CallbackService {
 public:
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetModelRequest* request, v1::Model* response) override {
    response->set_name(request->model());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

grpc::Status Ask(const std::string& address, std::string* name) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  auto stub = v1::Models::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::GetModelRequest request;
  request.set_model("m");
  v1::Model model;
  const grpc::Status status = stub->Get(&context, request, &model);
  *name = model.name();
  return status;
}

TEST(GrpcServerTest, ServesOnThePortItPicked) {
  EchoModels service;
  auto server = GrpcServer::Start({.listen = "127.0.0.1:0", .services = {&service}});
  ASSERT_TRUE(server.ok()) << server.status();
  std::string name;
  const grpc::Status status = Ask((*server)->address(), &name);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(name, "m");
}

TEST(GrpcServerTest, APortInUseIsNamed) {
  auto taken = Listener::Bind("127.0.0.1:0");
  ASSERT_TRUE(taken.ok());
  EchoModels service;
  auto server = GrpcServer::Start({.listen = (*taken)->address(), .services = {&service}});
  ASSERT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(server.status().message().find((*taken)->address()), std::string::npos);
}

TEST(GrpcServerTest, AListenAddressMustBeNumeric) {
  for (const char* bad : {"localhost", "localhost:1", "127.0.0.1", "127.0.0.1:70000", ":", ""}) {
    EXPECT_EQ(Listener::Bind(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

// gRPC's own accept loop fails this one: after the first EMFILE it accepts no more.
TEST(GrpcServerTest, AcceptsAgainAfterDescriptorsRanOut) {
  EchoModels service;
  auto server = GrpcServer::Start({.listen = "127.0.0.1:0", .services = {&service}});
  ASSERT_TRUE(server.ok()) << server.status();
  std::string name;
  ASSERT_TRUE(Ask((*server)->address(), &name).ok());
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string& address = (*server)->address();
  where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));

  // Client sockets made beforehand, so that a connection arrives when there is no descriptor left
  // to accept it. More than one: gRPC closes the connection above in its own time, which frees
  // some.
  std::vector<int> clients(8);
  for (int& client : clients) {
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(client, 0);
  }
  rlimit old = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit low = {256, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<int> hogs;
  bool shed = false;
  for (size_t i = 0; i < clients.size() && !shed; ++i) {
    for (int fd = dup(0); fd >= 0; fd = dup(0)) hogs.push_back(fd);
    ASSERT_EQ(connect(clients[i], reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
    char byte;
    shed = recv(clients[i], &byte, 1, 0) <= 0;  // closed at once, not left hanging
  }
  EXPECT_TRUE(shed);
  EXPECT_EQ((*server)->connections_shed(), 1);
  for (const int client : clients) close(client);
  for (const int fd : hogs) close(fd);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);

  name.clear();
  const grpc::Status status = Ask((*server)->address(), &name);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(name, "m");
}

TEST(ListenerTest, WhoDialsAStoppedOneIsRefused) {
  auto listener = Listener::Bind("127.0.0.1:0");
  ASSERT_TRUE(listener.ok()) << listener.status();
  const std::string& address = (*listener)->address();
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  (*listener)->Start([](int fd) { close(fd); });
  (*listener)->Stop();
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(client, 0);
  EXPECT_NE(connect(client, reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
  close(client);
}

}  // namespace
}  // namespace shoal
