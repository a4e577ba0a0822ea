// What the instrument counts of position attention, forward and backward: the share of its products that run
// on tensor cores, and the bytes that it moves.
#include <gtest/gtest.h>

#include "emulation/instrument/instrument.h"
#include "kernels/attention/position_attention.h"
#include "kernels/cuda/array_batch.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kPositions = 192, kDepth = 32, kChannels = 256;
constexpr double kPairs = double{kPositions} * kPositions;

template <class T>
struct Problem {
  ArrayBatch<T> q{kPositions * kDepth, 1}, k{kPositions * kDepth, 2}, v{kPositions * kChannels, 3},
      x{kPositions * kChannels, 4}, dy{kPositions * kChannels, 5};
  DeviceArray<float> gamma{std::vector<float>{0.7f}}, maximum{kPositions}, sum{kPositions};
  DeviceArray<T> y{kPositions * kChannels};

  PositionAttentionOf<T> of() const {
    return {.batch = 1,
            .positions = kPositions,
            .depth = kDepth,
            .channels = kChannels,
            .q = q.address(),
            .k = k.address(),
            .v = v.address(),
            .x = x.address(),
            .gamma = gamma.data()};
  }
  RowStatistics rows() { return {maximum.data(), sum.data()}; }
};

// Of the launches since the last call, together.
emulation::instrument::LaunchProfile take_launches() {
  cudaDeviceSynchronize();
  emulation::instrument::LaunchProfile all;
  for (const auto& kernel : emulation::instrument::take_profile())
    for (const auto& launch : kernel.launches) {
      all.counts += launch.counts;
      all.operations += launch.operations;
      all.exponentials += launch.exponentials;
      all.distinct_bytes_read += launch.distinct_bytes_read;
      all.distinct_bytes_written += launch.distinct_bytes_written;
    }
  return all;
}

using Halves = testing::Types<__half, __nv_bfloat16>;

template <class T>
class AttentionCounts : public testing::Test {};
TYPED_TEST_SUITE(AttentionCounts, ElementTypes);

TYPED_TEST(AttentionCounts, OfTheForwardPass) {
  using T = TypeParam;
  Problem<T> p;
  take_launches();
  position_attention<T>(p.of(), p.y.data(), p.rows(), nullptr);
  const auto launches = take_launches();
  const double products = kPairs * (kDepth + kChannels);
  if (sizeof(T) == 2) {
    EXPECT_GE(static_cast<double>(launches.counts.half_products), products);
    EXPECT_LE(launches.operations, 0.05 * products);
  } else {
    EXPECT_EQ(launches.counts.half_products, 0);
    EXPECT_GE(launches.operations, products);
  }
  EXPECT_GE(launches.exponentials, kPairs);
  const double elements = kPositions * (2 * kDepth + 3 * kChannels);
  EXPECT_LE(static_cast<double>(launches.distinct_bytes_read + launches.distinct_bytes_written),
            1.15 * (elements * sizeof(T) + sizeof(float) * (1 + 2 * kPositions)));
}

template <class T>
class AttentionCountsOfHalves : public testing::Test {};
TYPED_TEST_SUITE(AttentionCountsOfHalves, Halves);

TYPED_TEST(AttentionCountsOfHalves, OfTheBackwardPass) {
  using T = TypeParam;
  Problem<T> p;
  position_attention<T>(p.of(), p.y.data(), p.rows(), nullptr);
  DeviceArray<T> q(kPositions * kDepth), k(kPositions * kDepth), v(kPositions * kChannels);
  DeviceArray<float> gamma(1), workspace(position_attention_backward_floats(1, kPositions));
  take_launches();
  position_attention_backward<T>(p.of(), p.rows(), p.dy.address(),
                                 {q.data(), k.data(), v.data(), nullptr, gamma.data()}, workspace.data(),
                                 nullptr);
  const auto launches = take_launches();
  // The map and its gradient at least once, and three products with them.
  const double products = kPairs * (3 * kDepth + 2 * kChannels);
  EXPECT_GE(static_cast<double>(launches.counts.half_products), products);
  EXPECT_LE(launches.operations, 0.05 * static_cast<double>(launches.counts.half_products));
}

}  // namespace
}  // namespace tyto::kernels
