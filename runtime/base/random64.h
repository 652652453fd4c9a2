// Randomness from the kernel: incarnations, nonces, keys, default seeds. Never
// for anything that a test or a journal must repeat.

#ifndef SHOAL_RUNTIME_BASE_RANDOM64_H_
#define SHOAL_RUNTIME_BASE_RANDOM64_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace shoal {

// Unpredictable, also to other processes. Ends the process if the kernel has no
// randomness to give, which Linux rules out once it has booted.
uint64_t Random64();
std::string RandomBytes(size_t size);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_RANDOM64_H_
