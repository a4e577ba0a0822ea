#include "kernels/elementwise/not_finite.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                kNaN = std::numeric_limits<float>::quiet_NaN();

template <class T>
uint32_t count(const std::vector<float>& values, uint32_t before = 0) {
  const DeviceArray<T> in(rounded<T>(values));
  DeviceArray<uint32_t> counter(std::vector<uint32_t>{before});
  count_not_finite<T>(in.data(), in.size(), counter.data(), nullptr);
  return counter.download()[0];
}

TEST(NotFinite, CountsInfinitiesAndNaNsWhereverTheyStand) {
  for (int64_t n : {1, 31, 257, 2048, 2049, 5000}) {
    std::vector<float> values(static_cast<size_t>(n), 1.0f);
    EXPECT_EQ(count<float>(values), 0u) << n;
    values.front() = kInfinity;
    values.back() = kNaN;
    values[static_cast<size_t>(n / 2)] = -kInfinity;
    const uint32_t expected = n == 1 ? 1 : 3;
    EXPECT_EQ(count<float>(values), expected) << n;
    EXPECT_EQ(count<__half>(values), expected) << n;
    EXPECT_EQ(count<__nv_bfloat16>(values), expected) << n;
  }
}

TEST(NotFinite, TheGreatestFiniteValuesAreFinite) {
  EXPECT_EQ(count<float>({std::numeric_limits<float>::max(), -std::numeric_limits<float>::max()}), 0u);
  EXPECT_EQ(count<__half>({65504.0f, -65504.0f}), 0u);
  EXPECT_EQ(count<__half>({65536.0f}), 1u);
}

TEST(NotFinite, AddsToWhatIsThere) { EXPECT_EQ(count<float>({kNaN, 2.0f}, 40), 41u); }

TEST(NotFinite, NothingIsNothing) { EXPECT_EQ(count<float>({}, 7), 7u); }

TEST(Profile, CountNotFinite) {
  EXPECT_EQ(count<__half>(std::vector<float>(static_cast<size_t>(profile_batch()) << 17, 1.0f)), 0u);
}

}  // namespace
}  // namespace tyto::kernels
