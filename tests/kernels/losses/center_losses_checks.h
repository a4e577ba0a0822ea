// What the losses around centres have to be, for any Run (the CPU's or the device's):
//   Run<T>(batch, scale, with_gradients) has cmdc(p), center(p), hetero(p), triplet(p), each a CenterResult,
//   and update(p), the new centres.
#pragma once

#include <gtest/gtest.h>

#include "kernels/losses/center_losses_case.h"
#include "kernels/losses/gradient_check.h"

namespace tyto::kernels {

struct CenterGolden {
  double value, norm, first, last;  // last: of row 7, element 5
};

inline void expect_golden(const CenterResult& got, const CenterGolden& want) {
  constexpr double kPrinted = 0.5000001e-10;
  EXPECT_EQ(got.status, "");
  EXPECT_NEAR(got.value, want.value, kPrinted);
  EXPECT_NEAR(got.norm(), want.norm, kPrinted);
  EXPECT_NEAR(got.gradient[0], want.first, kPrinted);
  EXPECT_NEAR(got.gradient[47], want.last, kPrinted);
}

template <template <class> class Run>
void check_cmdc_golden() {
  const Run<double> run(golden_batch());
  expect_golden(run.cmdc({}), {0.5568615646, 0.1506276552, -0.0327979176, -0.0345439062});
  expect_golden(run.cmdc({.mining = CmdcMining::Hard}),
                {0.9220419074, 0.3362081768, -0.0115922439, -0.0303136526});
  expect_golden(run.cmdc({.centers = CmdcCenters::Joint}),
                {0.4588283620, 0.1550526536, -0.0006413485, -0.0264676003});
  expect_golden(run.cmdc({.positive_bound = 0.5, .negative_bound = 1.2}),
                {0.4200811253, 0.1735683507, -0.0005284705, -0.0052082231});
  // Bounds that no pair crosses leave the centre term alone.
  expect_golden(
      run.cmdc({.centers = CmdcCenters::Joint, .positive_bound = 2, .negative_bound = 0, .center_weight = 1}),
      {0.2836318329, 0.0938941704, -0.0219916817, -0.0218755349});
}

template <template <class> class Run>
void check_hetero_golden() {
  const Run<double> run(golden_batch());
  const CenterResult triplet = run.triplet({}), center = run.hetero({});
  EXPECT_NEAR(triplet.value, 0.3614611613, 0.5000001e-10);
  EXPECT_NEAR(triplet.norm(), 0.7187867346, 0.5000001e-10);
  EXPECT_NEAR(center.value, 7.1181376157, 0.5000001e-10);
  EXPECT_NEAR(center.norm(), 5.4104113025, 0.5000001e-10);
}

// Rows in another order, with other labels, give the same value and the gradients in that order.
template <template <class> class Run>
void check_order_of_rows() {
  const CenterBatch batch = golden_batch();
  CenterBatch other = batch;
  const int64_t order[] = {6, 1, 3, 0, 7, 2, 5, 4};
  for (int64_t i = 0; i < 8; ++i) {
    other.labels[i] = batch.labels[order[i]] == 0 ? 2147483647 : 12;
    other.modalities[i] = batch.modalities[order[i]];
    std::copy_n(batch.features.begin() + order[i] * 6, 6, other.features.begin() + i * 6);
  }
  const auto same = [&](const CenterResult& a, const CenterResult& b) {
    EXPECT_NEAR(a.value, b.value, 1e-14);
    for (int64_t i = 0; i < 8; ++i)
      for (int64_t j = 0; j < 6; ++j) EXPECT_NEAR(a.gradient[order[i] * 6 + j], b.gradient[i * 6 + j], 1e-14);
  };
  const Run<double> run(batch), of_other(other);
  same(run.cmdc({}), of_other.cmdc({}));
  same(run.hetero({}), of_other.hetero({}));
  same(run.triplet({}), of_other.triplet({}));
}

template <template <class> class Run>
void check_cmdc_value(const CenterBatch& batch) {
  for (const CmdcLoss& p : cmdc_variants()) {
    const double want = cmdc_by_definition(batch, p);
    EXPECT_GT(want, 0);
    EXPECT_NEAR(Run<double>(batch, 1, false).cmdc(p).value, want, 1e-13 * std::max(1.0, want));
  }
  // With the gradient, the value is the same.
  EXPECT_EQ(Run<double>(batch).cmdc({}).value, Run<double>(batch, 1, false).cmdc({}).value);
}

// Differences of values by `of`(run) in features and learned centres.
template <template <class> class Run, class Of>
void check_gradients(const CenterBatch& batch, bool learned, const Of& of, size_t most) {
  const CenterResult got = of(Run<double>(batch));
  expect_gradient(
      batch.features, got.gradient,
      [&](const std::vector<double>& features) {
        CenterBatch moved = batch;
        moved.features = features;
        return of(Run<double>(moved, 1, false)).value;
      },
      256, most);
  if (!learned) return;
  expect_gradient(
      batch.centers, got.centers_gradient,
      [&](const std::vector<double>& centers) {
        CenterBatch moved = batch;
        moved.centers = centers;
        return of(Run<double>(moved, 1, false)).value;
      },
      256, most);
}

template <template <class> class Run>
void check_all_gradients(const CenterBatch& batch, size_t most) {
  for (const CmdcLoss& p : cmdc_variants()) {
    SCOPED_TRACE(testing::Message() << "cmdc " << int(p.centers) << int(p.mining));
    check_gradients<Run>(
        batch, p.centers == CmdcCenters::Learned, [&](const auto& run) { return run.cmdc(p); }, most);
  }
  for (const CenterDistance d : {CenterDistance::Squared, CenterDistance::Absolute, CenterDistance::Cosine}) {
    SCOPED_TRACE(testing::Message() << "hetero centre " << int(d));
    check_gradients<Run>(
        batch, false, [&](const auto& run) { return run.hetero({.distance = d}); }, most);
  }
  {
    SCOPED_TRACE("hetero centre triplet");
    check_gradients<Run>(
        batch, false, [&](const auto& run) { return run.triplet({.margin = 3}); }, most);
  }
  for (const bool normalize : {false, true}) {
    SCOPED_TRACE("centre loss");
    check_gradients<Run>(
        batch, true, [&](const auto& run) { return run.center({.normalize = normalize}); }, most);
  }
}

// All are zero, whose number is known.
inline void expect_nothing(const CenterResult& got, double value) {
  EXPECT_EQ(got.status, "");
  EXPECT_EQ(got.value, value);
  for (double g : got.gradient) EXPECT_EQ(g, 0);
}

template <template <class> class Run>
void check_edges() {
  const CenterBatch empty{.rows = 0, .width = 3, .classes = 1, .centers = {0, 0, 0}};
  expect_nothing(Run<double>(empty).cmdc({}), 0);
  expect_nothing(Run<double>(empty).hetero({}), 0);
  expect_nothing(Run<double>(empty).triplet({}), 0);
  expect_nothing(Run<double>(empty).center({}), 0);

  CenterBatch one{.rows = 1, .width = 2, .features = {3, 4}, .labels = {7}, .modalities = {1}};
  expect_nothing(Run<double>(one).cmdc({}), 0);
  expect_nothing(Run<double>(one).hetero({}), 0);
  expect_nothing(Run<double>(one).triplet({}), 0);

  // One identity has no negative side.
  CenterBatch alone = golden_batch();
  alone.labels.assign(8, 4);
  for (const CmdcMining mining : {CmdcMining::All, CmdcMining::Hard}) {
    const CmdcLoss p{.mining = mining};
    const CenterResult got = Run<double>(alone).cmdc(p);
    EXPECT_NEAR(got.value, cmdc_by_definition(alone, p), 1e-14);
    EXPECT_GT(got.norm(), 0);
  }
  expect_nothing(Run<double>(alone).triplet({}), 0);

  // Of one modality only, half of the centres do not exist.
  CenterBatch visible = golden_batch();
  visible.modalities.assign(8, 0);
  const CenterResult joint = Run<double>(visible).cmdc({.centers = CmdcCenters::Joint});
  const CenterResult by_modality = Run<double>(visible).cmdc({});
  EXPECT_EQ(by_modality.value, joint.value);
  EXPECT_EQ(by_modality.gradient, joint.gradient);
  expect_nothing(Run<double>(visible).hetero({}), 0);

  // Equal rows are all at distance 0, where no gradient flows.
  CenterBatch equal = golden_batch();
  for (size_t i = 6; i < equal.features.size(); ++i) equal.features[i] = i % 6 == 0 ? 1 : 0;
  for (size_t i = 0; i < 6; ++i) equal.features[i] = i == 0 ? 1 : 0;
  expect_nothing(Run<double>(equal).cmdc({}), 1);
  expect_nothing(Run<double>(equal).cmdc({.mining = CmdcMining::Hard}), 1);
  expect_nothing(Run<double>(equal).triplet({}), 0.3);
}

// Rows 0 and 1 are equally far from a centre, rows 2 and 3 equally near: the first of either counts.
template <template <class> class Run>
void check_ties() {
  const CenterBatch batch{.rows = 4,
                          .width = 2,
                          .features = {1, 0, -1, 0, 0, 0.5, 0, -0.5},
                          .labels = {0, 0, 1, 1},
                          .modalities = {0, 0, 0, 0},
                          .classes = 2,
                          .centers = {0, 0, 9, 0}};
  const CenterResult got = Run<double>(batch).cmdc({.centers = CmdcCenters::Learned,
                                                    .mining = CmdcMining::Hard,
                                                    .positive_bound = 20,
                                                    .normalize = false});
  EXPECT_EQ(got.value, 0.25);
  EXPECT_EQ(got.gradient, (std::vector<double>{0, 0, 0, 0, 0, -0.5, 0, 0}));
  const CenterResult positive = Run<double>(batch).cmdc({.centers = CmdcCenters::Learned,
                                                         .mining = CmdcMining::Hard,
                                                         .positive_bound = 0.25,
                                                         .negative_bound = 0,
                                                         .normalize = false});
  EXPECT_EQ(positive.gradient[0], 0.5);
  EXPECT_EQ(positive.gradient[2], 0);
  const double far = std::sqrt(81.25);
  EXPECT_NEAR(positive.value, (0.75 + far - 0.25) / 2, 1e-15);
  EXPECT_NEAR(positive.gradient[4], -9 / far / 2, 1e-15);
  EXPECT_EQ(positive.gradient[6], 0);
}

template <template <class> class Run>
void check_hetero_distances() {
  // Centres (1, 2) and (3, -2) of class 0; class 1 is in one modality only.
  const CenterBatch batch{.rows = 4,
                          .width = 2,
                          .features = {2, 2, 3, -2, 0, 2, 50, 60},
                          .labels = {0, 0, 0, 1},
                          .modalities = {0, 1, 0, 1}};
  const Run<double> run(batch);
  const CenterResult squared = run.hetero({}), absolute = run.hetero({.distance = CenterDistance::Absolute});
  const CenterResult cosine = run.hetero({.distance = CenterDistance::Cosine});
  EXPECT_NEAR(squared.value, 19.9, 1e-14);
  EXPECT_EQ(squared.gradient, (std::vector<double>{-2, 4, 4, -8, -2, 4, 0, 0}));
  EXPECT_NEAR(absolute.value, 2.9, 1e-15);
  EXPECT_EQ(absolute.gradient, (std::vector<double>{-0.25, 0.25, 0.5, -0.5, -0.25, 0.25, 0, 0}));
  EXPECT_NEAR(cosine.value, 0.9 + 1 / std::sqrt(65.0), 1e-15);
  expect_nothing(run.hetero({.margin = 20}), 0);
}

inline void expect_fault(const CenterResult& got, const std::string& status) {
  EXPECT_EQ(got.status, status);
  EXPECT_TRUE(std::isnan(got.value));
  for (double g : got.gradient) EXPECT_TRUE(std::isnan(g));
  for (double g : got.centers_gradient) EXPECT_TRUE(std::isnan(g));
}

template <template <class> class Run>
void check_faults() {
  const CenterBatch sound = random_batch(9, 5, 3);
  const auto expect_of_all = [&](const CenterBatch& b, const std::string& status) {
    expect_fault(Run<float>(b).cmdc({}), status);
    expect_fault(Run<float>(b).cmdc({.mining = CmdcMining::Hard}), status);
    expect_fault(Run<float>(b).hetero({}), status);
    expect_fault(Run<float>(b).triplet({}), status);
  };
  CenterBatch b = sound;
  b.features[13] = std::numeric_limits<double>::quiet_NaN();
  expect_of_all(b, "features: row 2 holds a value that is not finite");
  expect_fault(Run<float>(b).center({}), "features: row 2 holds a value that is not finite");
  b = sound;
  b.labels[4] = -1;
  expect_of_all(b, "labels: row 4 is out of range");
  expect_fault(Run<float>(b).center({}), "labels: row 4 is out of range");
  b = sound;
  b.modalities[8] = 2;
  expect_of_all(b, "modalities: row 8 is out of range");
  b = sound;
  b.labels[5] = static_cast<int32_t>(b.classes);
  const CmdcLoss learned{.centers = CmdcCenters::Learned};
  expect_fault(Run<float>(b).cmdc(learned), "labels: row 5 is out of range");
  expect_fault(Run<float>(b).center({}), "labels: row 5 is out of range");
  EXPECT_EQ(Run<float>(b).update({}), Run<float>(sound).run_centers());  // as they were
  b = sound;
  b.centers[3 * 5 + 2] = std::numeric_limits<double>::infinity();
  expect_fault(Run<float>(b).cmdc(learned), "centers: row 3 holds a value that is not finite");
  expect_fault(Run<float>(b).center({}), "centers: row 3 holds a value that is not finite");
  b = sound;
  b.centers[4 * 5] = std::numeric_limits<double>::infinity();  // of a class that is not in the batch
  EXPECT_EQ(Run<float>(b).cmdc(learned).status, "");
}

// unit: half a last place of T. The features are taken as T has them, so the value differs from double's by
// what is computed in float: lengths, means of at most `rows`, sums of squares over the width (a root halves
// their error), sums of hinges. A gradient sums shares of at most 2 a row by weights of such distances, and
// is rounded to T.
template <class T, template <class> class Run>
void check_precision(const CenterBatch& batch, double unit) {
  constexpr double kScale = 16, kFloat = std::numeric_limits<float>::epsilon() / 2;
  const CenterBatch kept = Run<T>(batch).rounded();
  const double roundings = static_cast<double>(batch.width + batch.rows + 16) * kFloat;
  const auto near = [&](const CenterResult& got, const CenterResult& want, const char* what) {
    SCOPED_TRACE(what);
    EXPECT_EQ(got.status, "");
    EXPECT_NEAR(got.value, want.value, roundings * std::max(1.0, std::abs(want.value)));
    const auto same = [&](const std::vector<double>& a, const std::vector<double>& b) {
      ASSERT_EQ(a.size(), b.size());
      double largest = 0;
      for (double g : b) largest = std::max(largest, std::abs(g));
      for (size_t i = 0; i < a.size(); ++i)
        EXPECT_NEAR(a[i] / kScale, b[i], unit * std::abs(b[i]) + 4 * roundings * largest + 0x1p-29) << i;
    };
    same(got.gradient, want.gradient);
    same(got.centers_gradient, want.centers_gradient);
  };
  const Run<T> run(kept, kScale);
  const Run<double> exact(kept);
  for (const CmdcLoss& p : cmdc_variants()) near(run.cmdc(p), exact.cmdc(p), "cmdc");
  near(run.hetero({}), exact.hetero({}), "hetero centre");
  near(run.triplet({.margin = 3}), exact.triplet({.margin = 3}), "hetero centre triplet");
  near(run.center({}), exact.center({}), "centre loss");
  const std::vector<double> centers = run.update({}), want = exact.update({});
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(centers[i], want[i], unit * std::abs(want[i]) + 8 * roundings);
}

template <template <class> class Run>
void check_center_loss() {
  const CenterBatch batch{.rows = 3,
                          .width = 2,
                          .features = {1, 2, 3, 5, 7, 0},
                          .labels = {2, 0, 2},
                          .classes = 3,
                          .centers = {1, 1, 50, 60, 2, -1}};
  const CenterResult got = Run<double>(batch, 2).center({});
  EXPECT_EQ(got.value, 0.5 * (1 + 9 + 4 + 16 + 25 + 1));
  EXPECT_EQ(got.gradient, (std::vector<double>{-2, 6, 4, 8, 10, 2}));
  EXPECT_EQ(got.centers_gradient, (std::vector<double>{-4, -8, 0, 0, -8, -8}));
  // c - rate sum (c - x) / (1 + n)
  EXPECT_EQ(Run<double>(batch).update({.rate = 0.75}), (std::vector<double>{1.75, 2.5, 50, 60, 3, 0}));
}

}  // namespace tyto::kernels
