#include "runtime/tensor/tensor.h"

#include <string>

#include "runtime/tensor/dtype.h"

namespace shoal {

std::string Tensor::ShapeString() const {
  std::string text = "[" + std::to_string(rows) + ", ";
  if (heads != 1) text += std::to_string(heads) + ", ";
  text += std::to_string(cols) + "] ";
  return text.append(DTypeName(dtype));
}

}  // namespace shoal
