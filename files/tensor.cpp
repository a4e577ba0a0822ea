#include "tyto/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <limits>
#include <new>

#include "files/float_formats.h"
#include "files/named.h"

namespace tyto {

int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::F64:
    case DType::I64:
      return 8;
    case DType::F32:
    case DType::I32:
      return 4;
    case DType::F16:
    case DType::BF16:
    case DType::I16:
      return 2;
    case DType::I8:
    case DType::U8:
    case DType::Bool:
      return 1;
  }
  return 0;
}

std::string_view name_of(DType dtype) {
  static constexpr Named<DType> kNames[] = {{"F32", DType::F32},  {"F16", DType::F16}, {"BF16", DType::BF16},
                                            {"F64", DType::F64},  {"I64", DType::I64}, {"I32", DType::I32},
                                            {"I16", DType::I16},  {"I8", DType::I8},   {"U8", DType::U8},
                                            {"BOOL", DType::Bool}};
  return name_in(kNames, dtype);
}

int64_t Shape::elements() const {
  constexpr int64_t kLimit = int64_t{1} << 62;
  int64_t product = 1;
  bool zero = false, overflow = false;
  for (int64_t size : dims_) {
    if (size < 0) throw Error(ErrorKind::Shape, fmt::format("{} has a negative size", str()));
    if (size == 0)
      zero = true;
    else if (product > kLimit / size)
      overflow = true;
    else
      product *= size;
  }
  if (zero) return 0;
  if (overflow) throw Error(ErrorKind::Shape, fmt::format("{} has more than 2^62 elements", str()));
  return product;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(dims_, ", ")); }

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), elements_(shape_.elements()) {
  constexpr size_t kAlignment = 64;
  const int64_t element = size_of(dtype);
  void* memory = nullptr;
  if (elements_ <= std::numeric_limits<int64_t>::max() / element) {
    const size_t rounded = (static_cast<size_t>(elements_ * element) + kAlignment) / kAlignment * kAlignment;
    memory = ::operator new (rounded, std::align_val_t{kAlignment}, std::nothrow);
  }
  if (!memory)
    throw Error(ErrorKind::Memory,
                fmt::format("no memory for a {} tensor of shape {}", name_of(dtype), shape_.str()));
  data_.reset(static_cast<std::byte*>(memory),
              [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignment}); });
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  Tensor t(dtype, std::move(shape));
  std::memset(t.data(), 0, static_cast<size_t>(t.bytes()));
  return t;
}

Tensor Tensor::clone() const {
  Tensor copy(dtype_, shape_);
  if (!empty()) std::memcpy(copy.data(), data(), static_cast<size_t>(bytes()));
  return copy;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (shape.elements() != elements_)
    throw Error(ErrorKind::Shape, fmt::format("cannot view {} as {}", shape_.str(), shape.str()));
  Tensor view = *this;
  view.shape_ = std::move(shape);
  return view;
}

Tensor Tensor::to_f32() const {
  if (dtype_ == DType::F32) return *this;
  Tensor out(DType::F32, shape_);
  auto convert = [&]<class T>(const T* from, auto&& to_float) {
    float* to = out.as<float>().data();
    for (int64_t i = 0; i < elements_; ++i) to[i] = to_float(from[i]);
  };
  const auto plain = [](auto v) { return static_cast<float>(v); };
  switch (dtype_) {
    case DType::F32:
      break;
    case DType::F64:
      convert(reinterpret_cast<const double*>(data()), plain);
      break;
    case DType::I64:
      convert(reinterpret_cast<const int64_t*>(data()), plain);
      break;
    case DType::I32:
      convert(reinterpret_cast<const int32_t*>(data()), plain);
      break;
    case DType::I16:
      convert(reinterpret_cast<const int16_t*>(data()), plain);
      break;
    case DType::I8:
      convert(reinterpret_cast<const int8_t*>(data()), plain);
      break;
    case DType::U8:
    case DType::Bool:
      convert(reinterpret_cast<const uint8_t*>(data()), plain);
      break;
    case DType::F16:
      convert(reinterpret_cast<const uint16_t*>(data()), half_to_float);
      break;
    case DType::BF16:
      convert(reinterpret_cast<const uint16_t*>(data()), bfloat16_to_float);
      break;
  }
  return out;
}

void Tensor::check_type(DType wanted) const {
  if (wanted != dtype_)
    throw Error(ErrorKind::Shape,
                fmt::format("a tensor of {} was read as {}", name_of(dtype_), name_of(wanted)));
}

}  // namespace tyto
