#include "runtime/device/cpu/numerics.h"

#include <bit>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/fp8.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/ops.h"

namespace shoal {
namespace {

// FNV-1a, 64 bits: nobody has a reason to forge it.
class Digest {
 public:
  void Add(uint32_t word) {
    for (int i = 0; i < 4; ++i) hash_ = (hash_ ^ (word >> 8 * i & 0xff)) * 0x100000001b3;
  }
  void Add(float x) { Add(std::bit_cast<uint32_t>(x)); }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

std::string numerics_id() {
  using cpu::ExpConstants;
  Digest digest;
  for (uint16_t bits : cpu::kFp8Table.bits) digest.Add(uint32_t{bits});
  for (float c : ExpConstants::kTaylor) digest.Add(c);
  for (float c : {ExpConstants::kLog2E, ExpConstants::kLn2High, ExpConstants::kLn2Low,
                  ExpConstants::kRound, ExpConstants::kLowest, ExpConstants::kHighest}) {
    digest.Add(c);
  }
  for (int size : {cpu::kChunk, cpu::kScaleBlock, kKvBlock})
    digest.Add(static_cast<uint32_t>(size));
  return absl::StrCat("cpu-", kNumericsVersion, "-", absl::Hex(digest.value(), absl::kZeroPad16));
}

}  // namespace shoal
