#include "kernels/convolution/depthwise.h"

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

template <class T>
class DepthwiseConvolutionTest : public ::testing::Test {};
TYPED_TEST_SUITE(DepthwiseConvolutionTest, ElementTypes);

MapShape output_of(const MapShape& x, const DepthwiseConvolution& op, int64_t padding_bottom,
                   int64_t padding_right) {
  const auto size = [&](int64_t in, int64_t padding) {
    const int64_t room = in + padding - (op.kernel - 1) * op.dilation - 1;
    return room < 0 ? 0 : room / op.stride + 1;
  };
  return {x.n, size(x.height, op.padding_top + padding_bottom),
          size(x.width, op.padding_left + padding_right), x.channels};
}

template <class T>
void compare(const MapShape& shape, const DepthwiseConvolution& op, bool has_bias, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << "x " << shape.n << " " << shape.height << " " << shape.width << " "
                                    << shape.channels << ", kernel " << op.kernel << ", stride " << op.stride
                                    << ", dilation " << op.dilation << ", padding " << op.padding_top << " "
                                    << op.padding_left);
  const MapShape out = output_of(shape, op, op.padding_top, op.padding_left + 1);
  const NhwcBatch<T> x(shape, 1), weights({1, op.kernel, op.kernel, shape.channels}, 2),
      bias({1, 1, 1, shape.channels}, 3);
  NhwcResult<T> y(out, offset);
  depthwise_convolution<T>(x.read(), weights.read().data, has_bias ? bias.read().data : nullptr, op,
                           y.write(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element(out, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    double sum = has_bias ? bias.at(0, 0, 0, c) : 0.0, magnitude = std::abs(sum);
    for (int a = 0; a < op.kernel; ++a)
      for (int b = 0; b < op.kernel; ++b) {
        const int64_t row = r * op.stride - op.padding_top + a * op.dilation;
        const int64_t column = s * op.stride - op.padding_left + b * op.dilation;
        if (!x.inside(row, column)) continue;
        const double term = double{x.at(i, row, column, c)} * weights.at(0, a, b, c);
        sum += term;
        magnitude += std::abs(term);
      }
    if (op.activation == Activation::Relu6) sum = std::min(std::max(sum, 0.0), 6.0);
    ASSERT_NEAR(got[at++], sum, tolerance<T>(sum, op.kernel * op.kernel + 1, magnitude));
  });
}

TYPED_TEST(DepthwiseConvolutionTest, EqualsTheReferenceForEveryWindow) {
  const std::vector<DepthwiseConvolution> windows = {
      {3, 1, 1, 1, 1}, {3, 2, 1, 1, 1}, {3, 2, 0, 0, 1}, {5, 1, 2, 2, 1}, {5, 2, 2, 2, 1},
      {5, 2, 1, 1, 1}, {3, 1, 2, 2, 2}, {1, 1, 0, 0, 1}, {7, 3, 3, 2, 1}, {3, 3, 1, 0, 1}};
  for (const MapShape& shape : awkward_shapes())
    for (DepthwiseConvolution op : windows) {
      compare<TypeParam>(shape, op, true);
      op.activation = Activation::Relu6;
      compare<TypeParam>(shape, op, false);
    }
}

// One column more and one less than the threads' columns, and rows, columns and channels beyond one block;
// images that alone keep a GPU busy, so that blocks are as large as they get.
TYPED_TEST(DepthwiseConvolutionTest, EveryPlaceOfABlockIsServed) {
  for (int stride : {1, 2})
    for (int64_t width : {31, 32, 33})
      compare<TypeParam>({1, 9, width * stride, 72}, {3, stride, 1, 1, 1, Activation::None}, true);
  for (const DepthwiseConvolution& op : {DepthwiseConvolution{3, 1, 1, 1}, DepthwiseConvolution{1, 1, 0, 0}})
    for (const MapShape& shape : kManyImages) compare<TypeParam>(shape, op, true);
}

TYPED_TEST(DepthwiseConvolutionTest, TakesAnUnalignedOutput) {
  compare<TypeParam>({1, 5, 5, 16}, {3, 1, 1, 1, 1, Activation::None}, true, kUnaligned);
}

TEST(DepthwiseConvolution, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(
      depthwise_convolution<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr, nullptr, {}, {}, nullptr),
      DeviceError);
}

// A layer of MobileNetV2's.
TEST(Profile, DepthwiseConvolution) {
  compare<__half>({profile_batch(), 28, 28, 192}, {3, 1, 1, 1, 1, Activation::Relu6}, true);
}
TEST(Profile, DepthwiseConvolutionOfStride2) {
  compare<__half>({profile_batch(), 56, 56, 64}, {3, 2, 1, 1, 1, Activation::Relu6}, true);
}
TEST(Profile, DepthwiseConvolutionOfAnyWindow) {
  compare<__half>({profile_batch(), 28, 28, 64}, {3, 1, 2, 2, 2}, true);
}

}  // namespace
}  // namespace tyto::kernels
