// Whether two tensors hold the same.
#pragma once

#include <cstring>

#include "tyto/tensor.h"

namespace tyto {

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace tyto
