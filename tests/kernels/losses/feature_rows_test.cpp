#include "kernels/losses/feature_rows.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "kernels/losses/feature_rows_case.h"

namespace tyto::kernels {
namespace {

template <class C>
RowsResult run(const std::vector<double>& f, const std::vector<double>& g, int64_t rows, int64_t width,
               const RowsAs& as, double scale) {
  const std::vector<C> from(f.begin(), f.end()), gradients(g.begin(), g.end());
  std::vector<C> x(f.size()), lengths(static_cast<size_t>(rows)), to(f.size());
  RowsResult r;
  load_rows_cpu(from.data(), rows, width, as, LossInput::Features, x.data(), lengths.data(), &r.found);
  store_row_gradients_cpu(gradients.data(), x.data(), lengths.data(), rows, width, as, scale, &r.found,
                          to.data());
  r.x.assign(x.begin(), x.end());
  r.lengths.assign(lengths.begin(), lengths.end());
  r.gradients.assign(to.begin(), to.end());
  return r;
}

std::vector<double> normal(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> of;
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = of(random);
  return values;
}

template <class C>
void compare() {
  constexpr double kUnit = std::numeric_limits<C>::epsilon() / 2, kScale = 8;
  for (const RowsAs as : {RowsAs{}, RowsAs{.added_length = 0.5}, RowsAs{.unit = false}})
    for (const int64_t width : {1, 31, 32, 33, 700}) {
      constexpr int64_t kRows = 3;
      std::vector<double> f = normal(kRows * width, 1), g = normal(kRows * width, 2);
      std::fill_n(f.begin() + width, width, 0.0);
      const RowsResult got = run<C>(f, g, kRows, width, as, kScale);
      EXPECT_EQ(got.found, 0u);
      expect_rows(got, rows_by_formula(f, g, kRows, width, as, kScale), g, kRows, width, as.unit, kScale,
                  kUnit);
    }
}

TEST(FeatureRows, AreOfUnitLengthAndTheirGradientsTangential) {
  compare<double>();
  compare<float>();
}

TEST(FeatureRows, NameTheFirstThatIsNotFinite) {
  std::vector<double> f(12, 1.0);
  f[11] = std::numeric_limits<double>::infinity();
  f[7] = std::numeric_limits<double>::quiet_NaN();
  for (const bool unit : {true, false}) {
    const RowsResult r = run<float>(f, f, 4, 3, {.unit = unit}, 1);
    EXPECT_EQ(describe(r.found), "features: row 2 holds a value that is not finite");
    for (double v : r.gradients) EXPECT_TRUE(std::isnan(v));
  }
}

TEST(FeatureRows, OfLargeFloatsDoNotOverflow) {
  const RowsResult r = run<float>({3e30, 4e30}, {1, 1}, 1, 2, {}, 1);
  EXPECT_EQ(r.found, 0u);
  EXPECT_NEAR(r.x[0], 0.6, 1e-7);
  EXPECT_NEAR(r.x[1], 0.8, 1e-7);
}

TEST(LossStatus, KeepsTheFirstRowOfTheGravestFault) {
  LossStatus found = 0;
  const auto join = [&](LossStatus s) { found = std::max(found, s); };
  join(loss_status(LossFault::Box, LossInput::Boxes, 1));
  EXPECT_EQ(describe(found), "boxes: row 1 is a box without width or height");
  join(loss_status(LossFault::Label, LossInput::Labels, 9));
  join(loss_status(LossFault::Label, LossInput::Labels, 4));
  join(loss_status(LossFault::Label, LossInput::Labels, 5));
  EXPECT_EQ(describe(found), "labels: row 4 is out of range");
  join(loss_status(LossFault::NotFinite, LossInput::TeacherLogits, 0));
  join(loss_status(LossFault::NotFinite, LossInput::Logits, int64_t{1} << 40));
  EXPECT_EQ(describe(found), "logits: row 1099511627776 holds a value that is not finite");
  EXPECT_EQ(describe(0), "");
}

TEST(LossStatus, OfLabelsOutOfRange) {
  const int32_t labels[] = {0, 5, 3, -1};
  LossStatus found = 0;
  check_labels_cpu(labels, 3, 6, LossInput::Labels, &found);
  EXPECT_EQ(found, 0u);
  check_labels_cpu(labels, 4, 0, LossInput::Labels, &found);
  EXPECT_EQ(row_of(found), 3);
  found = 0;
  check_labels_cpu(labels, 4, 5, LossInput::Labels, &found);
  EXPECT_EQ(row_of(found), 1);
}

}  // namespace
}  // namespace tyto::kernels
