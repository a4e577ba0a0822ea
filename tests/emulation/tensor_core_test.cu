// The tensor core's twin, fragments filled by the PTX ISA's formulas as written there.
#include "kernels/common/tensor_core.cuh"

#include <bit>
#include <cmath>

#include "emulation/run.h"

namespace emulation {
namespace {

using tyto::kernels::BFloat16;
using tyto::kernels::Half;

__device__ unsigned bits(Half v) { return __half_as_ushort(v); }
__device__ unsigned bits(BFloat16 v) { return __bfloat16_as_ushort(v); }

// "9.7.14.5.8 Matrix Fragments for mma.m16n8k16 with floating point type": groupID = laneid >> 2,
// threadID_in_group = laneid % 4; row of a_i = groupID for i in 0, 1, 4, 5, else groupID + 8; column =
// threadID_in_group * 2 + (i & 1), + 8 for i >= 4; row of b_i = threadID_in_group * 2 + (i & 1), + 8 for i >=
// 2; column = groupID.
template <class T>
__global__ void product_16(const T* a, const T* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x), group = lane >> 2, in_group = lane % 4;
  unsigned fa[4] = {}, fb[2] = {};
  float fc[4];
  for (int i = 0; i < 8; ++i) {
    const int row = i == 0 || i == 1 || i == 4 || i == 5 ? group : group + 8;
    const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
    fa[i / 2] |= bits(a[row * 16 + column]) << 16 * (i % 2);
  }
  for (int i = 0; i < 4; ++i)
    fb[i / 2] |= bits(b[(in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0)) * 8 + group]) << 16 * (i % 2);
  float* places[4];
  for (int i = 0; i < 4; ++i) {
    places[i] = &c[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)];
    fc[i] = *places[i];
  }
  tyto::kernels::multiply_16x8x16<T>(fc, fa, fb);
  for (int i = 0; i < 4; ++i) *places[i] = fc[i];
}

__global__ void product_tf32(const float* a, const float* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x), group = lane >> 2, in_group = lane % 4;
  unsigned fa[4], fb[2];
  float fc[4];
  for (int i = 0; i < 4; ++i)
    fa[i] = tyto::kernels::to_tf32(a[(i % 2 ? group + 8 : group) * 8 + in_group + (i >= 2 ? 4 : 0)]);
  for (int i = 0; i < 2; ++i) fb[i] = tyto::kernels::to_tf32(b[(in_group + 4 * i) * 8 + group]);
  float* places[4];
  for (int i = 0; i < 4; ++i) {
    places[i] = &c[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)];
    fc[i] = *places[i];
  }
  tyto::kernels::multiply_16x8x8_tf32(fc, fa, fb);
  for (int i = 0; i < 4; ++i) *places[i] = fc[i];
}

// Small integers: every product and sum is exact, whatever its order.
template <class T>
void expect_product(void (*)(const T*, const T*, float*), int depth, auto&& launched) {
  std::vector<T> a(16 * depth), b(depth * 8);
  std::vector<float> c(16 * 8), expected(16 * 8);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(static_cast<float>(i * 7 % 23) - 11);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(static_cast<float>(i * 5 % 19) - 9);
  for (int r = 0; r < 16; ++r)
    for (int n = 0; n < 8; ++n) {
      c[r * 8 + n] = expected[r * 8 + n] = static_cast<float>(r - n);
      for (int k = 0; k < depth; ++k)
        expected[r * 8 + n] += static_cast<float>(a[r * depth + k]) * static_cast<float>(b[k * 8 + n]);
    }
  launched(a.data(), b.data(), c.data());
  EXPECT_EQ(c, expected);
}

TEST(TensorCoreTest, ProductsEqualTheLoops) {
  for (const Schedule& schedule : kSchedules) {
    expect_product(&product_16<Half>, 16, [&](auto... matrices) {
      EXPECT_EQ(run<product_16<Half>>(schedule, {1, 32}, matrices...), "");
    });
    expect_product(&product_16<BFloat16>, 16, [&](auto... matrices) {
      EXPECT_EQ(run<product_16<BFloat16>>(schedule, {1, 32}, matrices...), "");
    });
    expect_product(&product_tf32, 8, [&](auto... matrices) {
      EXPECT_EQ(run<product_tf32>(schedule, {1, 32}, matrices...), "");
    });
  }
}

TEST(TensorCoreTest, Tf32RoundsToTenBitsTiesAway) {
  const auto rounded = [](float v) { return std::bit_cast<float>(tyto::kernels::to_tf32(v)); };
  EXPECT_EQ(rounded(1 + 0x1p-10f), 1 + 0x1p-10f);
  EXPECT_EQ(rounded(1 + 0x1p-11f), 1 + 0x1p-10f);
  EXPECT_EQ(rounded(-1 - 0x1p-11f), -1 - 0x1p-10f);
  EXPECT_EQ(rounded(1 + 0x1.ffcp-12f), 1.0f);
  EXPECT_EQ(rounded(2 - 0x1p-20f), 2.0f);
  EXPECT_EQ(rounded(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(rounded(NAN)));
}

// Element (i, r, c) of the tiles is 64 i + 8 r + c.
template <int Tiles, bool Transposed>
__global__ void load(unsigned* out, int padding) {
  TYTO_SHARED_ARRAY(uint16_t, tiles, 4 * 8 * 16);
  const int lane = static_cast<int>(threadIdx.x), stride = 8 + padding;
  for (int c = 0; c < 8; ++c) tiles[lane * stride + c] = static_cast<uint16_t>(lane * 8 + c);
  __syncwarp();
  unsigned registers[Tiles];
  tyto::kernels::load_tiles<Transposed>(registers, lane < Tiles * 8 ? &tiles[lane * stride] : nullptr);
  for (int i = 0; i < Tiles; ++i) out[lane * Tiles + i] = registers[i];
}

template <int Tiles, bool Transposed>
void expect_loaded() {
  std::vector<unsigned> out(32 * Tiles);
  const std::string fault = run<load<Tiles, Transposed>>(kShuffled, {1, 32}, out.data(), 8);
  ASSERT_EQ(fault, "");
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < Tiles; ++i) {
      const int g = lane / 4, t = lane % 4 * 2;
      const auto element = [&](int row, int column) {
        return static_cast<unsigned>(64 * i + 8 * row + column);
      };
      const unsigned low = Transposed ? element(t, g) : element(g, t);
      const unsigned high = Transposed ? element(t + 1, g) : element(g, t + 1);
      EXPECT_EQ(out[lane * Tiles + i], low | high << 16);
    }
}

TEST(TensorCoreTest, LoadsTilesAndTheirTransposes) {
  expect_loaded<1, false>();
  expect_loaded<2, false>();
  expect_loaded<4, false>();
  expect_loaded<1, true>();
  expect_loaded<2, true>();
  expect_loaded<4, true>();
}

TEST(TensorCoreTest, RefusesAMisalignedRow) {
  std::vector<unsigned> out(32);
  EXPECT_TRUE(says(run<load<1, false>>(kForward, {1, 32}, out.data(), 4),
                   {"ldmatrix of a row whose address is no multiple of 16"}));
}

}  // namespace
}  // namespace emulation
