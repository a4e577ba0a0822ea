// An image batch as the CUDA kernels keep it: channels fastest, densely packed.
#pragma once

#include <cstdint>

namespace tyto::kernels {

// Element (i, y, x, c) stands at ((i * height + y) * width + x) * channels + c.
template <class T>
struct Nhwc {
  T* data = nullptr;
  int64_t n = 0, height = 0, width = 0, channels = 0;

  int64_t pixels() const { return n * height * width; }
  int64_t elements() const { return pixels() * channels; }
};

}  // namespace tyto::kernels
