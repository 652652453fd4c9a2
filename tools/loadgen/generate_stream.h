// One request under way.

#ifndef SHOAL_TOOLS_LOADGEN_GENERATE_STREAM_H_
#define SHOAL_TOOLS_LOADGEN_GENERATE_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "runtime/base/clock.h"
#include "tools/loadgen/request_record.h"
#include "tools/loadgen/stream_checker.h"
#include "tools/loadgen/workload.h"

namespace shoal::loadgen {

class GenerateStream;

// Who started a stream. Called from gRPC's threads.
class StreamHost {
 public:
  virtual ~StreamHost() = default;
  // Have stream.Resume() called at `when`, once, from any thread.
  virtual void WakeAt(absl::Time when, GenerateStream& stream) = 0;
  // It is over: gRPC will not touch it again, and it is the host's.
  virtual void OnEnded(std::unique_ptr<GenerateStream> stream) = 0;
};

// Reads a Generate call to its end: at once, or as slowly as planned; cancels it when planned.
// gRPC calls it from one thread at a time.
class GenerateStream : public grpc::ClientReadReactor<v1::GenerateEvent> {
 public:
  // Builds the request; nothing is sent yet. `host` and `clock` outlive it.
  GenerateStream(const Workload& workload, int64_t index, const Clock& clock, StreamHost& host);

  const PlannedRequest& planned() const { return planned_; }

  // Makes the call, which owns the stream from here on. `intended` is when it should have been
  // made.
  void Begin(v1::Inference::Stub& stub, absl::Time intended);
  // The time that was given to WakeAt() has come.
  void Resume();
  // Gives it up: it ends soon. Any thread, after Begin() and before OnEnded().
  void GiveUp();

  // REQUIRES: it has ended.
  RequestRecord TakeRecord() { return std::move(record_); }

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  // Tokens of event_, a delta, have come.
  void Measure(int64_t tokens);
  void CancelIfPlanned();
  void ReadOn(int64_t tokens);

  const PlannedRequest planned_;
  const Clock& clock_;
  StreamHost& host_;
  const absl::Duration deadline_;
  const v1::GenerateRequest request_;
  grpc::ClientContext context_;

  v1::GenerateEvent event_;  // belongs to gRPC while a read is out
  StreamChecker checker_;
  RequestRecord record_;
  std::atomic<bool> given_up_{false};
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_GENERATE_STREAM_H_
