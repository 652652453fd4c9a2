#ifndef SHOAL_RUNTIME_ENGINE_TESTING_FAKE_MODEL_H_
#define SHOAL_RUNTIME_ENGINE_TESTING_FAKE_MODEL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/comm/communicator.h"
#include "runtime/device/device.h"
#include "runtime/engine/request.h"
#include "runtime/model/model.h"
#include "runtime/moe/exchange.h"

namespace shoal {

// A device of host memory whose operations do nothing; the fake model needs
// none. Finish() may be told to fail.
std::unique_ptr<Device> MakeFakeDevice(std::atomic<bool>* fail_next_finish = nullptr);

// A model that is a hash: the logits of a row depend on every token before it,
// read back from the cache through the block table, so that any mistake with
// blocks, positions or committed lengths changes the tokens.
class FakeModel final : public Model {
 public:
  static constexpr int kVocab = 101;
  static constexpr int kLayers = 2;
  static constexpr TokenId kPoison = 100;  // whoever sees it has NaN logits
  static constexpr int kMaxPositions = 2000;

  Tensor Forward(Pass& pass, const Batch& batch) const override;
  int layers() const override { return kLayers; }
  int kv_line() const override { return 2; }
  int vocab() const override { return kVocab; }
  int max_positions() const override { return kMaxPositions; }

  // Called at the start of every pass, on the engine thread.
  std::function<void()> on_forward;
};

// The tokens that `request` yields after its `emitted`, computed without engine
// or cache.
std::vector<TokenId> ReferenceTokens(const Request& request);

// An exchange that tells every rank how many rows every other has: one slot,
// whose rows are everybody's. A rank that does not take part blocks the others.
std::unique_ptr<ExpertExchange> MakeFakeExchange(Communicator& comm);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_TESTING_FAKE_MODEL_H_
