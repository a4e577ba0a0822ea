// A dense, contiguous, row-major array in host memory, and its shape.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tyto/error.h"

namespace tyto {

enum class DType : uint8_t { F32, F16, BF16, F64, I64, I32, I16, I8, U8, Bool };

int64_t size_of(DType);           // bytes of one element
std::string_view name_of(DType);  // safetensors' name: "F32", "BF16", "BOOL" ...

// Sizes of the dimensions, outermost first. Images are [N, C, H, W] whatever their layout in memory.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  size_t rank() const { return dims_.size(); }
  int64_t operator[](size_t i) const { return dims_[i]; }
  int64_t& operator[](size_t i) { return dims_[i]; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  const std::vector<int64_t>& dims() const { return dims_; }
  bool operator==(const Shape&) const = default;

  int64_t elements() const;  // product of the sizes, 1 for rank 0; Error{Shape} if negative or beyond 2^62
  std::string str() const;   // "[8, 3, 256, 128]"

 private:
  std::vector<int64_t> dims_;
};

// Copies share the memory; clone() does not.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, Shape shape);  // 64-byte aligned, uninitialised; Error{Memory}

  template <class T>
  static Tensor of(Shape shape, std::span<const T> values);
  static Tensor zeros(DType dtype, Shape shape);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(size_t i) const { return shape_[i]; }
  int64_t elements() const { return elements_; }
  int64_t bytes() const { return elements_ * size_of(dtype_); }
  bool empty() const { return elements_ == 0; }

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  template <class T>
  std::span<T> as();  // Error{Shape} where T is not this dtype
  template <class T>
  std::span<const T> as() const;

  Tensor clone() const;
  Tensor reshaped(Shape shape) const;  // shares the memory; Error{Shape} if the element counts differ
  Tensor to_f32() const;  // itself where it is F32; exact from F16 and BF16, rounded from F64 and I64

 private:
  void check_type(DType wanted) const;

  DType dtype_ = DType::F32;
  Shape shape_{0};
  int64_t elements_ = 0;
  std::shared_ptr<std::byte[]> data_;
};

template <class T>
constexpr DType dtype_of() = delete;
template <>
constexpr DType dtype_of<float>() {
  return DType::F32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::F64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::I64;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::I32;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::I16;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::I8;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::U8;
}

template <class T>
std::span<T> Tensor::as() {
  check_type(dtype_of<T>());
  return {reinterpret_cast<T*>(data_.get()), static_cast<size_t>(elements_)};
}

template <class T>
std::span<const T> Tensor::as() const {
  check_type(dtype_of<T>());
  return {reinterpret_cast<const T*>(data_.get()), static_cast<size_t>(elements_)};
}

template <class T>
Tensor Tensor::of(Shape shape, std::span<const T> values) {
  Tensor t(dtype_of<T>(), std::move(shape));
  if (t.elements() != static_cast<int64_t>(values.size()))
    throw Error(ErrorKind::Shape, "Tensor::of: " + std::to_string(values.size()) +
                                      " values for a tensor of shape " + t.shape().str());
  std::copy(values.begin(), values.end(), t.as<T>().begin());
  return t;
}

}  // namespace tyto
