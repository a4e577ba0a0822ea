// What multibox_distillation promises, for CPU and CUDA. `run` is DistillationRun of the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/losses/gradient_check.h"
#include "kernels/losses/multibox_case.h"
#include "kernels/losses/multibox_distillation.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::distillation {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  int64_t batch = 1, priors = 2, classes = 3;
  std::vector<int32_t> labels;
  std::vector<uint8_t> selected;
  std::vector<double> targets;
  std::vector<double> locations, logits, teacher_locations, teacher_logits;
  MultiboxDistillation options;
  double scale = 1;
  LossStatus selection_status = 0;
  bool gradients = true;

  std::vector<int32_t> positives() const {
    std::vector<int32_t> out(static_cast<size_t>(batch));
    for (size_t i = 0; i < labels.size(); ++i) out[i / static_cast<size_t>(priors)] += labels[i] > 0 ? 1 : 0;
    return out;
  }
};

struct Result {
  std::vector<double> value, locations, logits;
  LossStatus status = 0;
};

// The test vector of detection.md 2.7.
inline Case article() {
  Case c;
  c.labels = {2, 0};
  c.selected = {kPositiveRow, kMinedRow};
  c.targets = {0, 0, 0, 0.5, 9, 9, 9, 9};
  c.locations = {0.2, -1.5, 0.3, 2, 1, 2, 3, 4};
  c.teacher_locations = {0.1, -1, 0.3, 0.5, 4, 3, 2, 1};
  c.logits = {0.5, 1, -1, 1, 0.5, 0};
  c.teacher_logits = {1, 2, 0, 3, 0, 0};
  c.options.temperature = 2;
  return c;
}

// About a quarter of the priors is selected, a few of these are positive.
inline Case random_case(int64_t batch, int64_t priors, int64_t classes, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Case c{.batch = batch, .priors = priors, .classes = classes};
  const auto rows = static_cast<size_t>(batch * priors);
  const auto draw = [&](size_t count, double spread) {
    std::vector<double> out(count);
    for (double& v : out) v = spread * normal(random);
    return out;
  };
  for (size_t i = 0; i < rows; ++i) {
    const bool positive = random() % 8 == 0;
    c.labels.push_back(positive ? 1 + static_cast<int32_t>(random() % static_cast<size_t>(classes - 1)) : 0);
    c.selected.push_back(positive ? kPositiveRow : random() % 8 == 0 ? kMinedRow : 0);
  }
  c.targets = draw(4 * rows, 1);
  c.locations = draw(4 * rows, 1);
  c.teacher_locations = draw(4 * rows, 1);
  c.logits = draw(static_cast<size_t>(classes) * rows, 2);
  c.teacher_logits = draw(static_cast<size_t>(classes) * rows, 2);
  return c;
}

// The article's code, list by list.
inline std::vector<double> softmax(const double* z, int64_t classes, double temperature) {
  std::vector<double> p(z, z + classes);
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& v : p) sum += v = std::exp((v - largest) / temperature);
  for (double& v : p) v /= sum;
  return p;
}

inline double smooth_l1(double d) { return std::abs(d) < 1 ? 0.5 * d * d : std::abs(d) - 0.5; }

inline double normalizer(const Case& c) {
  double n = 0;
  for (int32_t p : c.positives())
    n += c.options.normalizer == MultiboxNormalizer::PositivesOrOneAnImage ? std::max(p, 1) : p;
  return c.options.normalizer == MultiboxNormalizer::PositivesOrOne ? std::max(n, 1.0) : n;
}

inline Result reference(const Case& c) {
  const MultiboxDistillation& o = c.options;
  const double n = normalizer(c), t = o.temperature;
  double soft = 0, confidence = 0, l2 = 0, location = 0;
  Result out;
  out.locations.assign(c.locations.size(), 0);
  out.logits.assign(c.logits.size(), 0);
  for (size_t i = 0; i < c.labels.size(); ++i) {
    if (c.selected[i] == 0) continue;
    const auto classes = static_cast<size_t>(c.classes);
    const double *student = &c.logits[i * classes], *teacher = &c.teacher_logits[i * classes];
    const auto p = softmax(teacher, c.classes, t), q = softmax(student, c.classes, t);
    const auto hard = softmax(student, c.classes, 1);
    const auto label = static_cast<size_t>(c.labels[i]);
    confidence -= std::log(hard[label]);
    const bool weighted = o.background_weight > 1;
    std::vector<double> r(classes);
    double a = 0;
    for (size_t k = 0; k < classes; ++k) {
      const double w = !weighted ? 1 : k == 0 ? o.background_weight : o.foreground_weight;
      const double eps = weighted ? o.eps : 0;
      if (weighted && o.divergence == Divergence::CrossEntropy)
        soft -= t * t * w * (p[k] + eps) * std::log(q[k] + eps);
      else
        soft += t * t * w * (p[k] + eps) * std::log((p[k] + eps) / (q[k] + eps));
      r[k] = w * (p[k] + eps) / (q[k] + eps);
      a += q[k] * r[k];
    }
    for (size_t k = 0; k < classes; ++k)
      out.logits[i * classes + k] =
          c.scale / n *
          (o.confidence * (hard[k] - (k == label ? 1 : 0)) + o.soft * t * (q[k] * a - q[k] * r[k]));
    if (label == 0) continue;
    double s = 0, bound = 0;
    for (size_t k = 4 * i; k < 4 * i + 4; ++k) {
      s += std::pow(c.locations[k] - c.targets[k], 2);
      bound += std::pow(c.teacher_locations[k] - c.targets[k], 2);
      location += smooth_l1(c.locations[k] - c.targets[k]);
    }
    const bool worse = s + o.margin > bound;
    if (worse) l2 += s;
    for (size_t k = 4 * i; k < 4 * i + 4; ++k) {
      const double d = c.locations[k] - c.targets[k];
      out.locations[k] = c.scale / n * (o.location * std::clamp(d, -1.0, 1.0) + (worse ? 2 * o.l2 * d : 0));
    }
  }
  out.value = {(o.soft * soft + o.confidence * confidence + o.l2 * l2 + o.location * location) / n, soft / n,
               confidence / n, l2 / n, location / n};
  return out;
}

inline bool all_nan(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v != v; });
}
inline bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}
inline std::vector<double> row(const std::vector<double>& values, size_t i, size_t width) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * width);
  return {begin, begin + static_cast<std::ptrdiff_t>(width)};
}

template <class Run>
void has_the_articles_numbers(const Run& run) {
  Case c = article();
  Result r = run.template of<double>(c);
  const double value[] = {7.01366556, 1.23002317, 3.23522659, 4.63, 2.065};
  const double logits[] = {.21837807, .42041251, -.63879058, -.62925395, .38608842, .24316553};
  const double locations[] = {.4, -2.5, .6, 2.5, 0, 0, 0, 0};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(r.value[i], value[i], 0.5000001e-8) << i;
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(r.logits[i], logits[i], 0.5000001e-8) << i;
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(r.locations[i], locations[i], 1e-15) << i;
  c.options.divergence = Divergence::CrossEntropy;
  const Result entropy = run.template of<double>(c);
  EXPECT_NEAR(entropy.value[1], 9.87354268, 0.5000001e-8);
  EXPECT_EQ(entropy.logits, r.logits);
}

inline std::vector<MultiboxDistillation> all_options() {
  return {
      {},
      {.temperature = 3, .background_weight = 2, .foreground_weight = 0.5, .eps = 1e-10, .margin = 0.7},
      {.temperature = 2, .divergence = Divergence::CrossEntropy, .margin = -1},
      {.temperature = 0.5, .background_weight = 1, .foreground_weight = 3},  // torch's KLDivLoss
      {.eps = 0, .normalizer = MultiboxNormalizer::PositivesOrOneAnImage},
      {.soft = 2, .confidence = 0, .l2 = 3, .location = 0.25, .normalizer = MultiboxNormalizer::Positives}};
}

// Errors in units of T's rounding, of rows of `classes` logits whose differences are below 20 (the spread of
// 2 of random_case()): an exponent is wrong by 20 / T and the exponential by 4 more, the sum by as many as
// its lanes hold; so are probabilities, and their logarithms by that and 4 of their size, which is below 24.
template <class T>
double units(const Case& c) {
  return 2 * (20 / std::min(c.options.temperature, 1.0) + 8 + 24 * 4 + static_cast<double>(c.classes));
}

// Of n numbers of the largest size in `of`; what is stored is rounded once more.
template <class T>
void expect_close(const std::vector<double>& got, const std::vector<double>& want, double rounding,
                  const char* what) {
  ASSERT_EQ(got.size(), want.size());
  double largest = 0;
  for (double v : want) largest = std::max(largest, std::abs(v));
  const double smallest = std::is_same_v<T, Half> ? 0x1p-25 : 0;  // half of the least number
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], largest * rounding + std::abs(want[i]) * kRounding<T> + smallest)
        << what << ' ' << i;
}

template <class T, class Run>
void equals_the_reference(const Run& run, Case c) {
  for (auto* values : {&c.locations, &c.logits, &c.teacher_locations, &c.teacher_logits})
    *values = as_stored<T>(*values);
  c.targets = as_stored<Computed<T>>(c.targets);
  for (const MultiboxDistillation& options : all_options()) {
    c.options = options;
    const Result got = run.template of<T>(c), want = reference(c);
    const double rounding = kRounding<Computed<T>> * units<T>(c);
    EXPECT_EQ(got.status, 0u);
    // The terms of a value have one sign but for those of the divergence, whose sum is at least a tenth of
    // theirs here.
    expect_close<Computed<T>>(got.value, want.value, 10 * rounding, "value");
    expect_close<T>(got.locations, want.locations, rounding, "location");
    expect_close<T>(got.logits, want.logits, rounding, "logit");
  }
}

template <class Run>
void has_its_values_slopes(const Run& run) {
  const int64_t priors = 12;
  for (const MultiboxDistillation& options : all_options()) {
    Case c = random_case(2, priors, 4, 5);
    c.options = options;
    c.scale = 1;
    const Result r = run.template of<double>(c);
    Case moved = c;
    moved.gradients = false;
    expect_gradient(c.logits, r.logits, [&](const std::vector<double>& x) {
      moved.logits = x;
      return run.template of<double>(moved).value[0];
    });
    moved.logits = c.logits;
    expect_gradient(c.locations, r.locations, [&](const std::vector<double>& x) {
      moved.locations = x;
      return run.template of<double>(moved).value[0];
    });
  }
}

template <class Run>
void is_finite_without_positives(const Run& run) {
  Case c = random_case(2, 5, 3, 7);
  c.labels.assign(10, 0);
  c.selected.assign(10, 0);
  c.selected[3] = kMinedRow;
  Result r = run.template of<double>(c);
  EXPECT_GT(r.value[1], 0);
  EXPECT_EQ(r.value[3], 0);
  EXPECT_TRUE(all_finite(r.logits));
  c.options.normalizer = MultiboxNormalizer::Positives;
  r = run.template of<double>(c);  // 1 / 0
  EXPECT_EQ(r.value[1], kInfinity);
  EXPECT_TRUE(std::isnan(r.value[3]));
  EXPECT_TRUE(std::isnan(r.value[0]));
  EXPECT_EQ(r.status, 0u);

  Case empty{.batch = 0, .priors = 0};
  r = run.template of<double>(empty);
  EXPECT_EQ(r.value, std::vector<double>(5, 0));
}

template <class Run>
void does_not_look_at_what_is_not_selected(const Run& run) {
  const Case c = random_case(2, 70, 5, 11);
  Case ugly = c;
  for (size_t i = 0; i < c.labels.size(); ++i) {
    for (size_t k = 0; k < 4 && c.labels[i] == 0; ++k)
      ugly.locations[4 * i + k] = ugly.teacher_locations[4 * i + k] = ugly.targets[4 * i + k] = kNan;
    for (size_t k = 0; k < 5 && c.selected[i] == 0; ++k)
      ugly.logits[5 * i + k] = ugly.teacher_logits[5 * i + k] = k % 2 == 0 ? kNan : -kInfinity;
  }
  const Result want = run.template of<double>(c), got = run.template of<double>(ugly);
  EXPECT_EQ(got.status, 0u);
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.locations, want.locations);
  EXPECT_EQ(got.logits, want.logits);
}

// One row is spoiled: the value is NaN, and of the gradients that row alone.
template <class Run>
void reports(const Run& run, const Case& c, LossStatus status, size_t spoiled, bool location, bool logits) {
  const Result r = run.template of<double>(c);
  EXPECT_EQ(r.status, status) << describe(r.status);
  EXPECT_TRUE(all_nan(r.value)) << describe(status);
  const auto classes = static_cast<size_t>(c.classes);
  for (size_t i = 0; i < c.labels.size(); ++i) {
    const auto of_location = row(r.locations, i, 4), of_logits = row(r.logits, i, classes);
    const bool here = i == spoiled;
    EXPECT_TRUE(here && location ? all_nan(of_location) : all_finite(of_location)) << i << describe(status);
    EXPECT_TRUE(here && logits ? all_nan(of_logits) : all_finite(of_logits)) << i << describe(status);
  }
}

template <class Run>
void names_its_faults(const Run& run) {
  const Case c = random_case(2, 40, 5, 13);
  size_t at = c.labels.size() - 1;  // a late positive
  while (c.labels[at] == 0) --at;
  const auto fault = [&](LossFault what, LossInput input) {
    return loss_status(what, input, static_cast<int64_t>(at));
  };
  for (double bad : {kNan, kInfinity, -kInfinity}) {
    Case spoiled = c;
    spoiled.logits[5 * at + 4] = bad;
    reports(run, spoiled, fault(LossFault::NotFinite, LossInput::Logits), at, false, true);
    spoiled = c;
    spoiled.teacher_logits[5 * at] = bad;
    reports(run, spoiled, fault(LossFault::NotFinite, LossInput::TeacherLogits), at, false, true);
    spoiled = c;
    spoiled.locations[4 * at + 1] = bad;
    reports(run, spoiled, fault(LossFault::NotFinite, LossInput::Locations), at, true, false);
    spoiled = c;
    spoiled.teacher_locations[4 * at + 3] = bad;
    reports(run, spoiled, fault(LossFault::NotFinite, LossInput::TeacherLocations), at, true, false);
  }
  Case spoiled = c;
  spoiled.targets[4 * at + 2] = kNan;
  reports(run, spoiled, fault(LossFault::NotFinite, LossInput::Boxes), at, true, false);
  for (int32_t label : {-1, 5, INT32_MAX, INT32_MIN}) {
    spoiled = c;
    spoiled.labels[at] = label;
    reports(run, spoiled, fault(LossFault::Label, LossInput::Labels), at, true, true);
  }
  spoiled.logits[5 * at] = kNan;  // a row without a label is not looked at
  reports(run, spoiled, fault(LossFault::Label, LossInput::Labels), at, true, true);

  spoiled = c;
  spoiled.selection_status = loss_status(LossFault::NotFinite, LossInput::Boxes, 3);
  const Result lost = run.template of<double>(spoiled);
  EXPECT_TRUE(all_nan(lost.value) && all_nan(lost.locations) && all_nan(lost.logits));
  EXPECT_EQ(lost.status, spoiled.selection_status);
}

// log 0 of an object without width: as the reference computes, which is a gradient of 1.
template <class Run>
void bears_an_infinite_target(const Run& run) {
  Case c = article();
  c.targets[2] = -kInfinity;
  c.selection_status = loss_status(LossFault::Box, LossInput::Boxes, 0);
  const Result r = run.template of<double>(c);
  EXPECT_EQ(r.status, c.selection_status);
  EXPECT_EQ(r.value[0], kInfinity);
  EXPECT_EQ(r.value[3], 0);  // infinity is not more than infinity
  EXPECT_EQ(r.value[4], kInfinity);
  EXPECT_EQ(row(r.locations, 0, 4), (std::vector<double>{0.2, -1, 1, 1}));
}

// Matching, mining and distillation of what multibox_case.h matches and mines.
template <class Run>
void in_one_call_equals_the_reference(const Run& run) {
  const MultiboxCase m = kernels::random_case(3, 5, 90, 6, MultiboxReference::Fork);
  Case c = random_case(m.batch, m.priors, m.classes, 17);
  c.locations = m.locations;
  c.logits = m.logits;
  const MatchedReference matched = match_reference(m);
  c.labels = matched.labels;
  c.targets = matched.targets;
  c.selected = mine_reference(m, c.labels);
  const Result want = reference(c), got = run.template in_one_call<double>(m, c);
  EXPECT_EQ(got.status, 0u);
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(got.value[i], want.value[i], 1e-12 * want.value[i]) << i;
  for (size_t i = 0; i < got.logits.size(); ++i) EXPECT_NEAR(got.logits[i], want.logits[i], 1e-14) << i;
  for (size_t i = 0; i < got.locations.size(); ++i)
    EXPECT_NEAR(got.locations[i], want.locations[i], 1e-13) << i;

  // Mining looks at every logit of the student, and without it nothing stands.
  const auto lost = [&](const MultiboxCase& with, LossStatus status) {
    const Result r = run.template in_one_call<double>(with, c);
    EXPECT_EQ(r.status, status) << describe(r.status);
    EXPECT_TRUE(all_nan(r.value) && all_nan(r.locations) && all_nan(r.logits));
  };
  MultiboxCase spoiled = m;
  spoiled.logits[7] = kNan;
  lost(spoiled, loss_status(LossFault::NotFinite, LossInput::Logits, 1));
  spoiled = m;
  spoiled.object_classes[6] = 5;
  lost(spoiled, loss_status(LossFault::Label, LossInput::Labels, 6));
}

// Halves: a gradient too small for them survives by its scale.
template <class Run>
void scales_its_gradients(const Run& run) {
  Case c = random_case(1, 9, 3, 3);
  const Result plain = run.template of<double>(c);
  c.scale = 1024;
  const Result scaled = run.template of<double>(c);
  EXPECT_EQ(scaled.value, plain.value);
  for (size_t i = 0; i < plain.logits.size(); ++i) EXPECT_EQ(scaled.logits[i], 1024 * plain.logits[i]);
  for (size_t i = 0; i < plain.locations.size(); ++i)
    EXPECT_EQ(scaled.locations[i], 1024 * plain.locations[i]);
  c.gradients = false;
  EXPECT_EQ(run.template of<double>(c).value, plain.value);
}

}  // namespace tyto::kernels::distillation
