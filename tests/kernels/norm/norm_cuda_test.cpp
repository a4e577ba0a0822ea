#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/norm/l2_normalize.h"

namespace tyto::kernels {
namespace {

template <class T>
class NormTest : public ::testing::Test {};
TYPED_TEST_SUITE(NormTest, ElementTypes);

enum class Into { Itself, Another, Unaligned };
constexpr Into kEverywhere[] = {Into::Itself, Into::Another, Into::Unaligned};

// Where results go.
template <class T>
class Target {
 public:
  Target(NhwcBatch<T>& x, const MapShape& shape, Into into)
      : x_(x), y_(shape, into == Into::Unaligned ? kUnaligned : 0), in_place_(into == Into::Itself) {}

  T* data() { return in_place_ ? x_.data() : y_.data(); }
  std::vector<float> download() const { return in_place_ ? x_.download() : y_.download(); }

 private:
  NhwcBatch<T>& x_;
  NhwcResult<T> y_;
  bool in_place_;
};

double relu_if(bool yes, double v) { return yes ? std::max(v, 0.0) : v; }

template <class T>
void compare_group_norm(const MapShape& shape, const GroupNorm& params, float mean_of_x, Into into,
                        bool has_weights = true) {
  const int64_t count = params.channels, width = std::max<int64_t>(count / params.groups, 1);
  SCOPED_TRACE(::testing::Message() << shape.n << " " << shape.height << " " << shape.width << " "
                                    << shape.channels << ", of them " << count << " in " << params.groups
                                    << " groups, mean " << mean_of_x);
  std::vector<float> values = random_floats(shape.elements(), 1);
  for (float& v : values) v += mean_of_x;
  NhwcBatch<T> x(shape, values);
  const std::vector<float> scale = random_floats(count, 2), shift = random_floats(count, 3);
  const DeviceArray<float> device_scale(scale), device_shift(shift);
  DeviceArray<uint8_t> workspace(
      group_norm_workspace_bytes(shape.n, shape.height, shape.width, shape.channels));
  Target<T> y(x, shape, into);
  group_norm<T>(x.read(), has_weights ? device_scale.data() : nullptr,
                has_weights ? device_shift.data() : nullptr, params, y.data(), workspace.data(), nullptr);

  const std::vector<float> got = y.download();
  const int64_t area = shape.height * shape.width;
  // A value goes through one update a pixel of its thread, 3 combinations of lanes, 8 of warps, one a slice
  // and one a channel of its group. Each rounds by up to 4 units of the largest value, which the mean takes
  // as it is and the deviation by as much again (Chan, Golub and LeVeque 1983); the map adds 3.
  const double updates = std::min<double>(static_cast<double>(area) / 64 + 1, 5) + 3 + 8 +
                         std::ceil(static_cast<double>(area) / 256) + static_cast<double>(width);
  for (int64_t i = 0; i < shape.n; ++i)
    for (int64_t first = 0; first < shape.channels; first += first < count ? width : 1) {
      const bool normalized = first < count;
      const int64_t end = first + (normalized ? width : 1);
      const auto each = [&](const auto& body) {
        for (int64_t p = 0; p < area; ++p)
          for (int64_t c = first; c < end; ++c)
            body(static_cast<size_t>(c), double{x.at(i, p / shape.width, p % shape.width, c)},
                 static_cast<size_t>((i * area + p) * shape.channels + c));
      };
      double mean = 0, variance = 0, largest = 0;
      const auto elements = static_cast<double>(area * (end - first));
      each([&](size_t, double v, size_t) { mean += v / elements; });
      each([&](size_t, double v, size_t) {
        variance += (v - mean) * (v - mean) / elements;
        largest = std::max(largest, std::abs(v));
      });
      const double deviation = std::sqrt(variance + params.epsilon);
      each([&](size_t c, double v, size_t at) {
        const double a = !normalized ? 1 : (has_weights ? scale[c] : 1) / deviation;
        const double b = !normalized ? 0 : (has_weights ? shift[c] : 0) - mean * a;
        const double e = relu_if(params.activation == Activation::Relu, v * a + b);
        const double units =
            normalized ? std::abs(a) * largest * (1 + std::abs(v - mean) / deviation) : std::abs(v);
        ASSERT_NEAR(got[at], e, tolerance<T>(e, 4 * updates + 3, units + std::abs(b + mean * a)))
            << "channel " << c;
      });
    }
}

// Each channel by itself.
template <class T>
void compare_instance_norm(const MapShape& shape, int64_t count, float mean_of_x, Activation activation,
                           Into into) {
  compare_group_norm<T>(shape, {count, std::max<int64_t>(count, 1), 1e-3f, activation}, mean_of_x, into);
}

TYPED_TEST(NormTest, InstanceNormNormalizesTheFirstChannelsAndPassesTheRest) {
  for (const MapShape& shape : awkward_shapes())
    for (int64_t count : {int64_t{0}, shape.channels / 2, shape.channels})
      compare_instance_norm<TypeParam>(shape, count, 0.5f, Activation::None, Into::Another);
}

TYPED_TEST(NormTest, InstanceNormOfManySlices) {
  for (int64_t width : {16, 33})
    for (int64_t count : {20, 40})
      compare_instance_norm<TypeParam>({2, 32, width, 40}, count, 0, Activation::Relu, Into::Another);
}

// Of 64 slices each is longer than the shortest: 260 pixels.
TEST(InstanceNorm, OfALargeMapHasLongSlices) {
  compare_instance_norm<float>({1, 130, 128, 8}, 8, 0.5f, Activation::None, Into::Another);
}

// Sums of x and of x^2 would be off by 0.06 here.
TEST(InstanceNorm, SurvivesAMeanOfAThousandDeviations) {
  compare_instance_norm<float>({1, 16, 33, 8}, 8, 1000, Activation::None, Into::Another);
}

TYPED_TEST(NormTest, InstanceNormActivatesInPlaceOrNot) {
  for (int64_t channels : {5, 16})
    for (Into into : kEverywhere)
      compare_instance_norm<TypeParam>({2, 9, 5, channels}, channels / 2, 0, Activation::Relu, into);
}

TYPED_TEST(NormTest, GroupNormSharesTheMomentsOfAGroup) {
  for (int64_t groups : {1, 3, 6}) {
    compare_group_norm<TypeParam>({2, 5, 7, 24}, {24, groups, 1e-3f}, 0.5f, Into::Another);
    compare_group_norm<TypeParam>({2, 3, 3, 20}, {18, groups, 1e-3f, Activation::Relu}, 0, Into::Itself);
  }
  compare_group_norm<TypeParam>({1, 17, 16, 8}, {8, 2, 1e-3f}, 0, Into::Another, false);
}

// A block of coefficients has 256 channels: groups that fill it, that leave some over, that are wider.
TEST(GroupNorm, OfManyChannels) {
  for (int64_t groups : {1, 2, 3, 6, 60})
    for (int64_t channels : {600, 611})
      compare_group_norm<float>({2, 2, 3, channels}, {600, groups, 1e-3f}, 0.5f, Into::Another);
}

template <class T>
void compare_affine(const MapShape& shape, Into into) {
  NhwcBatch<T> x(shape);
  const std::vector<float> scale = random_floats(shape.channels, 2), shift = random_floats(shape.channels, 3);
  const DeviceArray<float> device_scale(scale), device_shift(shift);
  Target<T> y(x, shape, into);
  channel_affine<T>(x.read(), device_scale.data(), device_shift.data(), Activation::Relu, y.data(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element(shape, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    const double product = double{x.at(i, r, s, c)} * scale[static_cast<size_t>(c)],
                 addend = shift[static_cast<size_t>(c)], e = std::max(product + addend, 0.0);
    ASSERT_NEAR(got[at++], e, tolerance<T>(e, 2, std::abs(product) + std::abs(addend)));
  });
}

TYPED_TEST(NormTest, ChannelAffineScalesShiftsAndActivates) {
  for (const MapShape& shape : awkward_shapes())
    for (Into into : kEverywhere) compare_affine<TypeParam>(shape, into);
}

template <class T>
void compare_l2_normalize(const MapShape& shape, const std::vector<float>& values, const L2Normalize& params,
                          Into into = Into::Another) {
  NhwcBatch<T> x(shape, values);
  const std::vector<float> scale = random_floats(shape.channels, 2);
  const DeviceArray<float> device_scale(scale);
  Target<T> y(x, shape, into);
  l2_normalize<T>(x.read(), device_scale.data(), params, y.data(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element(shape, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    double squares = 0;
    for (int64_t k = 0; k < shape.channels; ++k) squares += std::pow(double{x.at(i, r, s, k)}, 2);
    const double length = std::sqrt(squares), epsilon = params.epsilon;
    const double by =
        params.rule == L2Normalize::Epsilon::Added ? length + epsilon : std::max(length, epsilon);
    const double e = x.at(i, r, s, c) / by * scale[static_cast<size_t>(c)];
    // A lane's squares and their sum, five steps over the warp; the root halves that; five roundings more.
    ASSERT_NEAR(got[at++], e,
                tolerance<T>(e, (static_cast<double>(shape.channels) / 32 + 10) / 2 + 5, std::abs(e)));
  });
}

TYPED_TEST(NormTest, L2NormalizeDividesEachPixelByItsLength) {
  std::vector<MapShape> shapes = awkward_shapes();
  // What a warp holds in registers, and more than that.
  for (int64_t channels : {508, 512, 511, 516, 523}) shapes.push_back({1, 1, 3, channels});
  for (const MapShape& shape : shapes)
    for (const L2Normalize& params :
         {L2Normalize{L2Normalize::Epsilon::Added, 0.5f}, L2Normalize{L2Normalize::Epsilon::Least, 2.5f}})
      for (Into into : kEverywhere)
        compare_l2_normalize<TypeParam>(shape, random_floats(shape.elements(), 1), params, into);
}

TYPED_TEST(NormTest, L2NormalizeOfZeroIsZero) {
  compare_l2_normalize<TypeParam>({1, 1, 2, 8}, std::vector<float>(16, 0.0f), {});
}

TEST(L2Normalize, SquaresOfTheLargestHalvesDoNotOverflow) {
  compare_l2_normalize<__half>({1, 1, 1, 512}, std::vector<float>(512, 65504.0f), {});
}

TEST(Norm, RefusesMoreThanAnIndexHolds) {
  const Nhwc<const float> x = {nullptr, 1, 1 << 16, 1 << 15, 1};
  EXPECT_THROW(group_norm<float>(x, nullptr, nullptr, {1, 1, 1e-5f}, nullptr, nullptr, nullptr), DeviceError);
  EXPECT_THROW(channel_affine<float>(x, nullptr, nullptr, Activation::None, nullptr, nullptr), DeviceError);
  EXPECT_THROW(l2_normalize<float>(x, nullptr, {}, nullptr, nullptr), DeviceError);
}

TEST(Profile, InstanceNorm) {
  compare_instance_norm<__half>({profile_batch(), 64, 32, 64}, 32, 0, Activation::Relu, Into::Another);
}
TEST(Profile, GroupNorm) {
  compare_group_norm<__half>({profile_batch(), 32, 32, 128}, {128, 32, 1e-5f}, 0, Into::Another);
}
TEST(Profile, ChannelAffine) { compare_affine<__half>({profile_batch(), 32, 32, 128}, Into::Another); }
TEST(Profile, L2Normalize) {
  compare_l2_normalize<__half>({profile_batch(), 10, 10, 512}, random_floats(profile_batch() * 100 * 512, 1),
                               {});
}

}  // namespace
}  // namespace tyto::kernels
