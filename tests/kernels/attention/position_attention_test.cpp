#include "kernels/attention/position_attention.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "kernels/attention/attention_reference.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

// Maps of normal numbers, whose scores reach about `largest_score`.
struct Maps {
  std::vector<float> q, k, v, x;
  float gamma = 0.75f;
  PositionAttentionOf<float> of;

  Maps(int64_t batch, int64_t positions, int64_t depth, int64_t channels, float largest_score = 4)
      : q(random_floats(batch * positions * depth, 1)),
        k(random_floats(batch * positions * depth, 2)),
        v(random_floats(batch * positions * channels, 3)),
        x(random_floats(batch * positions * channels, 4)) {
    for (float& one : q) one *= largest_score / (5 * std::sqrt(static_cast<float>(depth)));
    of = {batch, positions, depth, channels, q.data(), k.data(), v.data(), x.data(), &gamma};
  }

  std::vector<float> attend(int threads = 2) const {
    std::vector<float> y(x.size());
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    std::vector<float> scratch(static_cast<size_t>(position_attention_scratch_floats(of, threads)),
                               std::nanf(""));
    position_attention_cpu(of, y.data(), {}, scratch.data());
    omp_set_num_threads(before);
    return y;
  }
};

// Every value of some rows.
void compare(const Maps& maps, int64_t rows) {
  SCOPED_TRACE(::testing::Message() << maps.of.positions << " positions, depth " << maps.of.depth << ", "
                                    << maps.of.channels << " channels");
  const std::vector<float> got = maps.attend();
  const AttentionOf<float> of = attention_of(maps.of);
  const int64_t all = of.batch * of.queries, step = std::max<int64_t>(1, (all - 1) / rows);
  for (int64_t i = 0; i < all; i += step) {
    const AttentionRow row = attention_row(of, i / of.queries, 0, i % of.queries);
    for (int64_t c = 0; c < of.width; ++c) {
      const auto at = static_cast<size_t>(i * of.width + c);
      const Summed sum = attention_sum(of, row, i / of.queries, 0, c);
      const double want = maps.gamma * sum.value + maps.x[at];
      ASSERT_NEAR(
          got[at], want,
          std::fabs(maps.gamma) * attention_error(row, of.depth) * sum.size + 0x1p-23 * std::fabs(want))
          << i << " " << c;
    }
  }
}

TEST(PositionAttention, EqualsTheReferenceOnUnkindSizes) {
  for (int64_t positions : {1, 2, 31, 64, 65})
    for (int64_t depth : {1, 8, 32, 64}) compare(Maps(2, positions, depth, 8), positions);
  compare(Maps(1, 65, 8, 512), 8);
}

TEST(PositionAttention, EqualsTheReferenceOnWholeMaps) {
  compare(Maps(1, 2592, 32, 64), 12);
  compare(Maps(1, 4097, 8, 16), 12);
}

TEST(PositionAttention, OfLargeScores) { compare(Maps(1, 500, 32, 16, 80), 50); }

TEST(PositionAttention, IsItsInputWhereGammaIsZero) {
  Maps maps(2, 65, 8, 24);
  maps.gamma = 0;
  EXPECT_EQ(maps.attend(), maps.x);
}

TEST(PositionAttention, HasTheSameBitsForAnyThreads) {
  const Maps maps(2, 250, 8, 40);
  EXPECT_EQ(bits(maps.attend(1)), bits(maps.attend(2)));
}

TEST(PositionAttention, TakesAtMostFourMebibytesAThread) {
  EXPECT_LE(position_attention_scratch_floats(
                {.batch = 64, .positions = 8192, .depth = kMaxHeadSize, .channels = 2048}, 8),
            8 * (1 << 20));
}

}  // namespace
}  // namespace tyto::kernels
