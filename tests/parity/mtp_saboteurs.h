#ifndef SHOAL_TESTS_PARITY_MTP_SABOTEURS_H_
#define SHOAL_TESTS_PARITY_MTP_SABOTEURS_H_

#include <memory>

#include "runtime/device/device.h"
#include "tests/parity/mtp_rig.h"

namespace shoal {

// Ways in which implementations of the module have gone wrong.  Host memory only.
enum class MtpFault {
  kNone,
  kHiddenFirst,     // eh_proj [hnorm(h); enorm(Emb)]: the order of the paper's figure
  kUnnormedState,   // h_i from before the main model's final norm
  kFirstNotZeroed,  // Emb(t_1) as it is
};

// Parts of a rig with that fault.
MtpRigParts Sabotaged(std::unique_ptr<Device> device, MtpFault fault);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_MTP_SABOTEURS_H_
