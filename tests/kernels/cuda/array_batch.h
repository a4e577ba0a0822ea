// A random array on the host and on the device under test, without the shape of a map.
#pragma once

#include "kernels/cuda/nhwc_batch.h"

namespace tyto::kernels {

// `values` rounded to T; the device's address lies `offset` elements past an aligned one.
template <class T>
class ArrayBatch : public NhwcBatch<T> {
 public:
  explicit ArrayBatch(const std::vector<float>& values, int64_t offset = 0)
      : NhwcBatch<T>({1, 1, 1, static_cast<int64_t>(values.size())}, values, offset) {}
  explicit ArrayBatch(int64_t size, uint32_t seed = 1, int64_t offset = 0)
      : ArrayBatch(random_floats(size, seed), offset) {}

  const T* address() const { return this->read().data; }
};

}  // namespace tyto::kernels
