#ifndef SHOAL_RUNTIME_WEIGHTS_SAFETENSORS_H_
#define SHOAL_RUNTIME_WEIGHTS_SAFETENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/tensor/dtype.h"
#include "runtime/weights/file.h"

namespace shoal {

// A tensor as a file holds it: row-major, little endian, `bytes` bytes from byte `offset` of the
// file.
struct StoredTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0;
};

std::string ShapeText(absl::Span<const int64_t> shape);  // "[3, 128]"

// One safetensors file: eight bytes of header length, the header (a JSON object), the tensors'
// data.
//
// The file is not trusted.  Open() refuses, naming the file, the tensor and the values: a header
// that is longer than 64 MiB or than the file, is not strict JSON or has unknown fields; a dtype
// other than F32, BF16 and F8_E4M3; a shape whose size overflows or is not the size of the tensor's
// range; and ranges that do not follow each other from the first byte after the header to the last
// byte of the file without a hole, an overlap or a rest.
class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const InputFile& file() const { return file_; }
  absl::Span<const StoredTensor> tensors() const { return tensors_; }  // by offset

 private:
  SafetensorsFile(InputFile file, std::vector<StoredTensor> tensors)
      : file_(std::move(file)), tensors_(std::move(tensors)) {}
  InputFile file_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_SAFETENSORS_H_
