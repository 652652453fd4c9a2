// The one word that the text layer and the model share.

#ifndef SHOAL_RUNTIME_TEXT_TOKEN_H_
#define SHOAL_RUNTIME_TEXT_TOKEN_H_

#include <cstdint>

namespace shoal {

// A row of the model's embedding table.
using TokenId = int32_t;

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOKEN_H_
