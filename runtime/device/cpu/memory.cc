#include "runtime/device/cpu/memory.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
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

constexpr size_t kPage = 4096, kHugePage = size_t{2} << 20;

std::byte* Map(size_t bytes) {
  // Room to begin at a huge page's border: the system does not put a piece there by itself.
  const size_t room = bytes >= kHugePage ? kHugePage : 0;
  void* mapped =
      mmap(nullptr, bytes + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* p = static_cast<std::byte*>(mapped);
  if (room == 0) return p;
  const size_t before = (room - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
  const size_t kept = (bytes + kPage - 1) / kPage * kPage;
  if (before > 0) CHECK_EQ(munmap(p, before), 0);
  if (before + kept < bytes + room)
    CHECK_EQ(munmap(p + before + kept, bytes + room - before - kept), 0);
  p += before;
  // Advice: without huge pages the same memory is a little slower.
  madvise(p, bytes, MADV_HUGEPAGE);
  return p;
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
