// A planted violation: it includes a header of a package that its target does
// not declare. The clang build must refuse it; tools/test sees that it does.

#include "runtime/base/random64.h"

namespace shoal {

uint64_t Undeclared() { return Random64(); }

}  // namespace shoal
