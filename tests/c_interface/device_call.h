// The C interface on the device: its sources, linked to the emulated kernels.
#pragma once

#include <gtest/gtest.h>

#include "c_interface/sample.h"
#include "emulation/emulation.h"
#include "kernels/cuda/device_array.h"

namespace tyto {

using Memory = kernels::DeviceArray<unsigned char>;

// The sample's call with all arrays in the device's memory; outputs come back to the sample.
inline Answer call_on_device(Sample& sample) {
  std::vector<std::unique_ptr<Memory>> memory;
  for (SampleArray& array : sample.arrays) {
    memory.push_back(std::make_unique<Memory>(array.bytes));
    *array.field = memory.back()->data();
  }
  *sample.device = TYTO_ON_CUDA;
  char error[256];
  size_t bytes = 0;
  int code = sample.workspace(sample.desc.get(), &bytes, error, sizeof error);
  if (code == 0) {
    Memory workspace(static_cast<int64_t>(bytes));
    code = sample.call(sample.desc.get(), workspace.data(), bytes, nullptr, error, sizeof error);
    for (size_t i = 0; i < memory.size(); ++i)
      if (sample.arrays[i].output) sample.arrays[i].bytes = memory[i]->download();
  }
  *sample.device = TYTO_ON_CPU;
  sample.point();
  for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << sample.name << ": " << fault;
  return {code, error};
}

}  // namespace tyto
