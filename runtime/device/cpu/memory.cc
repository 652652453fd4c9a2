#include "runtime/device/cpu/memory.h"

#include <sys/mman.h>

#include <cstddef>
#include <fstream>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/device/device.h"

namespace shoal::cpu {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

std::byte* Map(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  // Advice: without huge pages the same memory is a little slower.
  if (bytes >= kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
  return static_cast<std::byte*>(p);
}

// What the system could give without swapping. Unknown (no /proc) counts as without limit: mmap
// then decides.
size_t FreeBytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name, unit;
  for (size_t kib = 0; meminfo >> name >> kib;) {
    if (name == "MemAvailable:") return kib * 1024;
    std::getline(meminfo, unit);
  }
  return std::numeric_limits<size_t>::max();
}

}  // namespace

std::byte* HostMemory::AllocateChunk(size_t bytes) {
  std::byte* p = Map(bytes);
  CHECK(p != nullptr) << "out of memory: " << bytes << " bytes asked, " << FreeBytes() << " free";
  return p;
}

void HostMemory::FreeChunk(std::byte* p, size_t bytes) { CHECK_EQ(munmap(p, bytes), 0); }

absl::StatusOr<Buffer> HostMemory::Allocate(size_t bytes) {
  if (bytes == 0) return Buffer();
  // Pages are given when touched, so a size that cannot be had would be found out too late, by the
  // kernel.
  const size_t free = FreeBytes();
  std::byte* p = bytes <= free ? Map(bytes) : nullptr;
  if (p == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("host memory: ", bytes, " bytes asked, ", free, " free"));
  }
  return Buffer(*this, p, bytes);
}

}  // namespace shoal::cpu
