#ifndef SHOAL_RUNTIME_MODEL_TENSOR_TABLE_H_
#define SHOAL_RUNTIME_MODEL_TENSOR_TABLE_H_

#include <cstdint>
#include <string>

#include "runtime/model/config.h"
#include "runtime/moe/placement.h"
#include "runtime/weights/tensor_table.h"
#include "runtime/weights/weight_store.h"

namespace shoal {

// Every tensor of a checkpoint with this config, by Hugging Face's names.  Those of the MTP modules
// are kUnused, unless `mtp`.
TensorTable DeepSeekTensorTable(const DeepSeekConfig& config, bool mtp = false);

// The MoE layers whose experts a placement places: the model's, and with `mtp` the modules', which
// follow them.
int32_t PlacedLayers(const DeepSeekConfig& config, bool mtp);

// "model.layers.7."
std::string LayerPrefix(int32_t layer);
// "model.layers.7.mlp.experts.3."; `layer` counts all layers.
std::string ExpertPrefix(int32_t layer, int32_t expert);

// The experts that `rank` holds.
WeightShare ShareOf(const ExpertPlacement& placement, int rank);

// The bytes of tensor data that a share takes in the checkpoint, counted with the first allowed
// dtype of each tensor; copies (TensorSpec::copy_of) are taken for equal and not counted.
int64_t ShareBytes(const TensorTable& table, const WeightShare& share);

// Parameters of the tensors that are loaded, block scales and copies not counted.
int64_t ParameterCount(const TensorTable& table);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_TENSOR_TABLE_H_
