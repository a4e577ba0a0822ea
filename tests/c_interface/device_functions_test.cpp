// Every function of a header on the device, beside itself on the CPU. The build names the suite.
#include <bit>
#include <cmath>
#include <cstring>

#include "c_interface/device_call.h"

namespace tyto {
namespace {

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

TEST(TYTO_SUITE, EqualTheCpuInEveryType) {
  for (const int32_t elements : {TYTO_DOUBLE, TYTO_FLOAT, TYTO_HALF, TYTO_BFLOAT16}) {
    std::vector<Sample> on_cpu = samples(elements), on_device = samples(elements);
    for (size_t i = 0; i < on_cpu.size(); ++i) {
      ASSERT_EQ(call_on_cpu(on_cpu[i]).code, 0);
      const Answer answer = call_on_device(on_device[i]);
      ASSERT_EQ(answer.code, 0) << on_cpu[i].name << ": " << answer.text;
      for (size_t k = 0; k < on_cpu[i].arrays.size(); ++k)
        expect_near(on_cpu[i], on_cpu[i].arrays[k], on_device[i].arrays[k]);
    }
  }
}

}  // namespace
}  // namespace tyto
