// The C interface on the device: its sources, linked to the emulated kernels.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "c_interface/arguments.h"
#include "c_interface/sample.h"
#include "emulation/emulation.h"
#include "kernels/cuda/device_array.h"

namespace tyto {
namespace {

using Memory = kernels::DeviceArray<unsigned char>;

// The sample's call with all arrays in the device's memory; outputs come back to the sample.
Answer call_on_device(Sample& sample) {
  std::vector<std::unique_ptr<Memory>> memory;
  for (SampleArray& array : sample.arrays) {
    memory.push_back(std::make_unique<Memory>(array.bytes));
    *array.field = memory.back()->data();
  }
  *sample.device = TYTO_ON_CUDA;
  char error[256];
  size_t bytes = 0;
  int code = sample.workspace(sample.desc.get(), &bytes, error, sizeof error);
  if (code == TYTO_LOSSES_OK) {
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

double element(const SampleArray& array, size_t i) {
  const unsigned char* at = &array.bytes[i * static_cast<size_t>(bytes_of(array.elements))];
  const auto as = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (array.elements) {
    case TYTO_DOUBLE:
      return as(double{});
    case TYTO_FLOAT:
      return static_cast<double>(as(float{}));
    case TYTO_HALF:
      return static_cast<double>(as(_Float16{}));
    case TYTO_BFLOAT16:
      return static_cast<double>(std::bit_cast<float>(uint32_t{as(uint16_t{})} << 16));
    default:
      return as(int32_t{});
  }
}

// Both sum in another order: a few roundings of the largest element of sums of 30.
double tolerance(int32_t elements) {
  return 30 * (elements == TYTO_DOUBLE  ? 2e-16
               : elements == TYTO_FLOAT ? 1.2e-7
               : elements == TYTO_HALF  ? 1e-3 / 30
                                        : 8e-3 / 30);
}

void expect_near(const Sample& sample, const SampleArray& want, const SampleArray& got) {
  const size_t count = want.bytes.size() / static_cast<size_t>(bytes_of(want.elements));
  double largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(element(want, i)));
  for (size_t i = 0; i < count; ++i)
    EXPECT_NEAR(element(want, i), element(got, i),
                want.elements == kInteger ? 0 : tolerance(want.elements) * largest)
        << sample.name << ' ' << want.name << " of elements " << sample.elements;
}

TEST(CLossesOnDevice, EqualTheCpuInEveryType) {
  for (const int32_t elements : {TYTO_DOUBLE, TYTO_FLOAT, TYTO_HALF, TYTO_BFLOAT16}) {
    std::vector<Sample> on_cpu = samples(elements), on_device = samples(elements);
    for (size_t i = 0; i < on_cpu.size(); ++i) {
      ASSERT_EQ(call_on_cpu(on_cpu[i]).code, TYTO_LOSSES_OK);
      const Answer answer = call_on_device(on_device[i]);
      ASSERT_EQ(answer.code, TYTO_LOSSES_OK) << on_cpu[i].name << ": " << answer.text;
      for (size_t k = 0; k < on_cpu[i].arrays.size(); ++k)
        expect_near(on_cpu[i], on_cpu[i].arrays[k], on_device[i].arrays[k]);
    }
  }
}

TEST(CLossesOnDevice, TellFaultsByTheWordInTheDevicesMemory) {
  std::vector<Sample> all = samples(TYTO_FLOAT);
  Sample& sample = all.front();
  auto& desc = *static_cast<tyto_circle_loss_desc*>(sample.desc.get());
  kernels::DeviceArray<uint64_t> status(std::vector<uint64_t>{0});
  desc.status = status.data();
  const float nan = NAN;
  std::memcpy(&sample.arrays[1].bytes[5 * sizeof nan], &nan, sizeof nan);
  EXPECT_EQ(call_on_device(sample).code, TYTO_LOSSES_OK);
  char text[256];
  EXPECT_EQ(tyto_losses_describe_status(status.download()[0], text, sizeof text), TYTO_LOSSES_NOT_FINITE);
  EXPECT_STREQ(text, "features: row 1 holds a value that is not finite");
}

TEST(CLossesOnDevice, AreRefusedByALibraryBuiltWithout) {
  try {
    c_interface::Arguments(TYTO_FLOAT, TYTO_ON_CUDA, false, true);
    FAIL();
  } catch (const c_interface::Refused& refused) {
    EXPECT_EQ(refused.code, TYTO_LOSSES_UNSUPPORTED);
    EXPECT_NE(refused.text.find("built without CUDA"), std::string::npos);
  }
}

}  // namespace
}  // namespace tyto
