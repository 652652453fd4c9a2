// The version that a build calls itself.

#ifndef SHOAL_SERVICES_COMMON_VERSION_H_
#define SHOAL_SERVICES_COMMON_VERSION_H_

namespace shoal {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_VERSION_H_
