#include "core/tensor/tensor.h"

#include <cstring>

#include "core/base/check.h"

namespace fovea {

Tensor::Tensor(Type type) : type_(type) {
  const size_t bytes = (type.dense_bytes() + 63) / 64 * 64 + 64;
  data_.reset(std::aligned_alloc(64, bytes));
  CHECK(data_ != nullptr);
  std::memset(data_.get(), 0, bytes);
}

}  // namespace fovea
