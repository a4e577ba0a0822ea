#include "kernels/losses/feature_rows.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/losses/feature_rows_case.h"

namespace tyto::kernels {
namespace {

double wide(double v) { return v; }
template <class T>
double wide(T v) {
  return to_float(v);
}

template <class V>
std::vector<double> doubles(const V& values) {
  std::vector<double> all;
  for (const auto& v : values) all.push_back(wide(v));
  return all;
}

template <class T>
struct Case {
  using C = Computed<T>;
  int64_t rows, width;
  RowsAs as;
  double scale;
  std::vector<T> from;
  std::vector<C> gradients;

  Case(int64_t rows_, int64_t width_, const RowsAs& as_) : rows(rows_), width(width_), as(as_), scale(8) {
    for (float v : random_floats(rows * width, 1)) from.push_back(static_cast<T>(v));
    for (float v : random_floats(rows * width, 2)) gradients.push_back(v);
    if (rows > 1) std::fill_n(from.begin() + width, width, static_cast<T>(0.0f));
  }

  RowsResult run() const {
    const DeviceArray<T> device_from(from);
    const DeviceArray<C> device_gradients(gradients);
    DeviceArray<C> x(rows * width), lengths(std::vector<C>(static_cast<size_t>(rows)));
    DeviceArray<T> to(rows * width);
    DeviceArray<LossStatus> found(1);
    clear_status(found.data(), nullptr);
    load_rows(device_from.data(), rows, width, as, LossInput::Features, x.data(), lengths.data(),
              found.data(), nullptr);
    store_row_gradients(device_gradients.data(), x.data(), lengths.data(), rows, width, as, scale,
                        found.data(), to.data(), nullptr);
    return {doubles(x.download()), doubles(lengths.download()), doubles(to.download()), found.download()[0]};
  }
};

// A result is rounded once more where it is stored in T.
template <class T>
constexpr double kUnitOf = std::numeric_limits<float>::epsilon() / 2;
template <>
constexpr double kUnitOf<double> = std::numeric_limits<double>::epsilon() / 2;
template <>
constexpr double kUnitOf<__half> = 0x1p-11;
template <>
constexpr double kUnitOf<__nv_bfloat16> = 0x1p-8;

template <class T>
class FeatureRows : public testing::Test {};
using Types = testing::Types<double, float, __half, __nv_bfloat16>;
TYPED_TEST_SUITE(FeatureRows, Types);

TYPED_TEST(FeatureRows, AreOfUnitLengthAndTheirGradientsTangential) {
  for (const RowsAs as : {RowsAs{}, RowsAs{.added_length = 0.5}, RowsAs{.unit = false}})
    for (const int64_t width : {1, 257}) {
      const Case<TypeParam> c(3, width, as);
      const RowsResult got = c.run();
      EXPECT_EQ(got.found, 0u);
      const std::vector<double> g = doubles(c.gradients);
      expect_rows(got, rows_by_formula(doubles(c.from), g, c.rows, width, as, c.scale), g, c.rows, width,
                  as.unit, c.scale, kUnitOf<TypeParam>);
    }
}

TYPED_TEST(FeatureRows, NameTheFirstThatIsNotFinite) {
  Case<TypeParam> c(4, 3, {});
  c.from[11] = static_cast<TypeParam>(std::numeric_limits<float>::infinity());
  c.from[7] = static_cast<TypeParam>(std::numeric_limits<float>::quiet_NaN());
  const RowsResult r = c.run();
  EXPECT_EQ(describe(r.found), "features: row 2 holds a value that is not finite");
  for (double v : r.gradients) EXPECT_TRUE(std::isnan(v));
}

template <class C>
void finish(LossStatus fault, bool wanted) {
  const DeviceArray<LossStatus> found(std::vector<LossStatus>{fault});
  DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
  DeviceArray<C> values(std::vector<C>(33, C{2}));
  finish_loss(found.data(), values.data(), 33, wanted ? status.data() : nullptr, nullptr);
  EXPECT_EQ(status.download()[0], wanted ? fault : 0);
  for (C v : values.download()) EXPECT_EQ(std::isnan(v), fault != 0);
}

TEST(LossStatus, MakesEveryValueNaN) {
  for (const LossStatus fault : {LossStatus{0}, loss_status(LossFault::Label, LossInput::Labels, 3)})
    for (const bool wanted : {false, true}) {
      finish<float>(fault, wanted);
      finish<double>(fault, wanted);
    }
}

TEST(LossStatus, OfLabelsOutOfRange) {
  std::vector<int32_t> labels(300, 4);
  labels[299] = labels[298] = -1;
  labels[297] = 5;
  const DeviceArray<int32_t> device(labels);
  const auto row = [&](int64_t rows, int64_t classes) {
    DeviceArray<LossStatus> found(std::vector<LossStatus>{0});
    check_labels(device.data(), rows, classes, LossInput::Labels, found.data(), nullptr);
    const LossStatus status = found.download()[0];
    return status == 0 ? -1 : row_of(status);
  };
  EXPECT_EQ(row(297, 5), -1);
  EXPECT_EQ(row(300, 5), 297);
  EXPECT_EQ(row(300, 0), 298);
}

TEST(Profile, FeatureRows) {
  Case<float>(64 * profile_batch(), 2048, {}).run();
  Case<__half>(64 * profile_batch(), 2048, {}).run();
  finish<float>(0, true);
  const DeviceArray<int32_t> labels(std::vector<int32_t>(256, 1));
  DeviceArray<LossStatus> found(std::vector<LossStatus>{0});
  check_labels(labels.data(), 256, 2, LossInput::Labels, found.data(), nullptr);
}

}  // namespace
}  // namespace tyto::kernels
