// The one word that the text layer, the sampler, the model and the wire share.

#ifndef SHOAL_RUNTIME_BASE_TOKEN_ID_H_
#define SHOAL_RUNTIME_BASE_TOKEN_ID_H_

#include <cstdint>

namespace shoal {

// A row of the model's embedding table.
using TokenId = int32_t;

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_TOKEN_ID_H_
