// Bytes on the device that start anywhere and end where their allocation does. What stands before them was
// never written.
#pragma once

#include "kernels/cuda/device_array.h"

namespace tyto::kernels {

class OffsetArray {
 public:
  OffsetArray(const std::vector<uint8_t>& values, int64_t offset)
      : all_(offset + static_cast<int64_t>(values.size())), offset_(offset) {
    if (!values.empty())
      check_cuda(cudaMemcpy(all_.data() + offset, values.data(), values.size(), cudaMemcpyHostToDevice));
  }

  const uint8_t* data() const { return all_.data() + offset_; }

 private:
  DeviceArray<uint8_t> all_;
  int64_t offset_;
};

}  // namespace tyto::kernels
