// A device whose work may go on after an abort, and the model that runs on it.

#ifndef SHOAL_TESTS_SIM_SIM_DEVICE_H_
#define SHOAL_TESTS_SIM_SIM_DEVICE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/engine/testing/fake_model.h"

namespace shoal {

// What a pass wrote to the KV cache. The device writes it once more when it comes to be quiet, at
// Finish(): a block that was given away before would be spoilt.
struct QueuedWrites {
  struct Line {
    float* at;
    float values[2];
    void Write() const {
      at[0] = values[0];
      at[1] = values[1];
    }
  };
  std::vector<Line> lines, late;
  // The saboteur of M6: Finish() returns before the device is quiet.
  bool finish_returns_early = false;
};

// Host memory that is used again by the next simulated process.
std::unique_ptr<Device> MakeSimDevice(QueuedWrites& queue, std::atomic<bool>* fail_next_finish);

// FakeModel, whose writes go through the queue.
class SimModel final : public Model {
 public:
  explicit SimModel(QueuedWrites& queue) : queue_(queue) {}
  Tensor Forward(Pass& pass, const Batch& batch) const override;
  int layers() const override { return inner_.layers(); }
  int kv_line() const override { return inner_.kv_line(); }
  int vocab() const override { return inner_.vocab(); }
  int max_positions() const override { return inner_.max_positions(); }

  std::function<void()> on_forward;

 private:
  FakeModel inner_;
  QueuedWrites& queue_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_SIM_DEVICE_H_
