// Tensor owns host memory of one Type; TensorView refers to memory somebody else owns.
#pragma once

#include <cstdlib>
#include <memory>

#include "core/tensor/type.h"

namespace fovea {

// A dense tensor in host memory that somebody else owns. Copying the view copies no elements.
struct TensorView {
  Type type;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t count() const { return type.dims.count(); }
};

// A dense tensor in host memory, zeroed at creation, aligned to 64 bytes. Move-only.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Type type);

  const Type& type() const { return type_; }
  int64_t count() const { return type_.dims.count(); }
  size_t bytes() const { return type_.dense_bytes(); }
  void* data() const { return data_.get(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }
  TensorView view() const { return {type_, data_.get()}; }
  operator TensorView() const { return view(); }  // NOLINT: a Tensor is readable as a view

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  Type type_;
  std::unique_ptr<void, Free> data_;
};

}  // namespace fovea
