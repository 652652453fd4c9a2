#ifndef SHOAL_TESTS_PARITY_EDIT_CHECKPOINT_H_
#define SHOAL_TESTS_PARITY_EDIT_CHECKPOINT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "runtime/tensor/dtype.h"

namespace shoal {

// A tensor's data as its checkpoint stores it, row-major; a vector has one row.
struct StoredMatrix {
  std::string name;
  DType dtype = DType::kF32;
  int64_t rows = 0, cols = 0;
  std::vector<std::byte> data;

  // REQUIRES: T is what dtype says.
  template <typename T>
  T& At(int64_t row, int64_t col) {
    return reinterpret_cast<T*>(data.data())[row * cols + col];
  }
};

// Changes, in place, every tensor of the checkpoint in `folder` whose name ends so.  Returns how
// many there were.  REQUIRES: the checkpoint is sound, carries no digests, and `edit` keeps the
// size.
int EditTensors(const std::string& folder, absl::string_view suffix,
                const std::function<void(StoredMatrix&)>& edit);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_EDIT_CHECKPOINT_H_
