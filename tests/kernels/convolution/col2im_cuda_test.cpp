#include "kernels/convolution/col2im.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

template <class T>
class Col2ImTest : public ::testing::Test {};
TYPED_TEST_SUITE(Col2ImTest, ElementTypes);

// extra: rows and columns that the windows may not reach (PyTorch's output_padding).
template <class T>
void compare_col2im(const MapShape& in, const Col2Im& p, int64_t extra, bool has_bias, int64_t offset = 0) {
  const auto grown = [&](int64_t size) {
    return std::max<int64_t>(0,
                             (size - 1) * p.stride - 2 * p.padding + p.dilation * (p.kernel - 1) + extra + 1);
  };
  const int64_t taps = p.kernel * p.kernel;
  const MapShape out = {in.n, grown(in.height), grown(in.width), in.channels};
  const NhwcBatch<T> columns({in.n, in.height, in.width, taps * in.channels});
  const NhwcBatch<T> bias({1, 1, 1, in.channels}, 2);
  NhwcResult<T> y(out, offset);
  col2im<T>(columns.read(), has_bias ? bias.read().data : nullptr, p, y.write(), nullptr);

  std::vector<double> want(static_cast<size_t>(out.elements())), magnitude(want.size());
  const auto add = [&](int64_t i, int64_t row, int64_t column, int64_t c, double v) {
    if (row < 0 || column < 0 || row >= out.height || column >= out.width) return;
    const auto at = static_cast<size_t>(((i * out.height + row) * out.width + column) * out.channels + c);
    want[at] += v;
    magnitude[at] += std::abs(v);
  };
  for_each_element(out, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    if (has_bias) add(i, r, s, c, bias.at(0, 0, 0, c));
  });
  for_each_element(in, [&](int64_t i, int64_t h, int64_t w, int64_t c) {
    for (int64_t tap = 0; tap < taps; ++tap)
      add(i, h * p.stride - p.padding + tap / p.kernel * p.dilation,
          w * p.stride - p.padding + tap % p.kernel * p.dilation, c,
          columns.at(i, h, w, tap * in.channels + c));
  });
  const std::vector<float> got = y.download();
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = p.activation == Activation::Relu ? std::max(want[i], 0.0) : want[i];
    ASSERT_NEAR(got[i], value, tolerance<T>(value, static_cast<double>(taps + 1), magnitude[i]));
  }
}

TYPED_TEST(Col2ImTest, EqualsTheReferenceForEveryWindow) {
  for (const MapShape& shape : awkward_shapes())
    for (const Col2Im& p : {Col2Im{2, 2}, Col2Im{3, 2, 1}, Col2Im{1, 1}, Col2Im{3, 1, 1, 1, Activation::Relu},
                            Col2Im{2, 3}, Col2Im{3, 2, 0, 2}})
      if (shape.channels < 40 || p.kernel < 3)
        compare_col2im<TypeParam>(shape, p, p.stride > 1 ? 1 : 0, p.kernel > 1);
}

TYPED_TEST(Col2ImTest, EveryPositionOfABlockIsServed) {
  for (const MapShape& shape : kManyImages) compare_col2im<TypeParam>(shape, {3, 2, 1}, 1, true);
}

TYPED_TEST(Col2ImTest, TakesAnUnalignedOutput) {
  compare_col2im<TypeParam>({1, 5, 5, 16}, {2, 2}, 0, true, kUnaligned);
}

TEST(Col2Im, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(col2im<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr, {}, {}, nullptr), DeviceError);
  EXPECT_THROW(col2im<float>({}, nullptr, {}, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr), DeviceError);
}

TEST(Profile, Col2Im) { compare_col2im<__half>({profile_batch(), 16, 16, 64}, {2, 2}, 0, true); }

}  // namespace
}  // namespace tyto::kernels
