#ifndef SHOAL_RUNTIME_MODEL_DEEPSEEK_LOAD_H_
#define SHOAL_RUNTIME_MODEL_DEEPSEEK_LOAD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "runtime/device/device.h"
#include "runtime/model/config.h"
#include "runtime/model/model.h"
#include "runtime/moe/placement.h"

namespace shoal {

struct LoadOptions {
  // Called from the loading thread; false ends the load with CANCELLED.
  std::function<bool(int64_t bytes_done, int64_t bytes_total)> progress;
  int32_t max_positions = 0;  // at most the config's; 0: the config's
  // Loads the multi-token-prediction module too.  The cache then has one more layer, and so has the
  // placement: the module's experts are its last (PlacedLayers).  Ranks of a group agree on it.
  bool mtp = false;
};

// A model with one rank's share of the weights, and what a group's ranks compare before they serve
// together.
class LoadedModel : public Model {
 public:
  virtual const std::string& weights_digest() const = 0;   // WeightStore::digest()
  virtual bool weights_digest_covers_experts() const = 0;  // WeightStore::digest_covers_experts()
  virtual const std::string& rope_digest() const = 0;      // of the rotation table
  virtual int64_t weight_bytes_read() const = 0;
  virtual const DraftModel* draft() const = 0;  // null without LoadOptions::mtp
};

// Loads what `rank` needs under `placement` from a Hugging Face folder.  `device` outlives the
// model. INVALID_ARGUMENT: the placement is for another number of layers or experts, or has no such
// rank; options.mtp for a model that has not exactly one MTP module; and WeightStore's errors.
absl::StatusOr<std::unique_ptr<LoadedModel>> LoadDeepSeek(const DeepSeekConfig& config,
                                                          const std::string& folder,
                                                          const ExpertPlacement& placement,
                                                          int rank, Device& device,
                                                          const LoadOptions& options);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_DEEPSEEK_LOAD_H_
