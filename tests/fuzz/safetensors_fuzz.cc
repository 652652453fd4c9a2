// Input: a safetensors file.
//
// Accepted means: the tensors lie one after the other from the end of the header to the end of the
// file, each as large as its shape and type say.

#include <cstring>
#include <set>
#include <string>

#include "runtime/base/check.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutator.h"

namespace shoal {
namespace {

void CheckAccepted(const SafetensorsFile& file, absl::string_view content) {
  uint64_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<uint8_t>(content[i]);
  unsigned __int128 at = 8 + static_cast<unsigned __int128>(header);
  std::set<std::string> names;
  for (const StoredTensor& tensor : file.tensors()) {
    CHECK(names.insert(tensor.name).second);
    unsigned __int128 bytes = SizeOf(tensor.dtype);
    for (const int64_t dim : tensor.shape) {
      CHECK_GE(dim, 0);
      bytes *= static_cast<unsigned __int128>(dim);
    }
    CHECK(tensor.offset == at);
    CHECK(tensor.bytes == bytes);
    at += bytes;
  }
  CHECK(at == content.size());
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const file = new shoal::fuzz::MemoryFile();
  const absl::string_view content(reinterpret_cast<const char*>(data), size);
  file->Write(content);
  const auto opened = shoal::SafetensorsFile::Open(file->path());
  if (opened.ok()) {
    shoal::CheckAccepted(*opened, content);
  } else {
    shoal::fuzz::CheckRefusal(opened.status(), file->path());
  }
  return 0;
}

// Three times in four changes the header as JSON, and its length with it.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  uint64_t header = 0;
  if (size >= sizeof(header)) std::memcpy(&header, data, sizeof(header));
  std::string changed;
  if (seed % 4 != 0 && size >= sizeof(header) && header <= size - sizeof(header)) {
    changed = shoal::fuzz::MutatePart(input, sizeof(header), sizeof(header) + header, seed / 4);
  }
  if (!changed.empty()) {
    header += changed.size() - size;
    std::memcpy(changed.data(), &header, sizeof(header));
  }
  return shoal::fuzz::Replace(data, size, max_size, changed);
}
