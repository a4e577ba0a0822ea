// What faster_rcnn_loss promises, for CPU and CUDA. `run` is of<T>() of the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/losses/faster_rcnn_loss.h"
#include "kernels/losses/gradient_check.h"
#include "kernels/losses/sample_order.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::faster_rcnn {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Stage {
  int64_t rows = 0, classes = 2, slots = 1;
  std::vector<double> locations, logits, targets;
  std::vector<int32_t> labels;
};

struct Case {
  Stage anchors, rois;
  FasterRcnnLoss loss;
  double scale = 1;
  bool gradients = true;
};

struct Result {
  std::vector<double> value;
  std::vector<double> gradients[4];  // anchors' locations, logits; RoIs' locations, logits
  LossStatus status = 0;
};

inline Stage random_stage(int64_t rows, int64_t classes, int64_t slots, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Stage s{.rows = rows, .classes = classes, .slots = slots};
  const auto draw = [&](int64_t count) {
    std::vector<double> out(static_cast<size_t>(count));
    for (double& v : out) v = normal(random);
    return out;
  };
  s.locations = draw(4 * rows * slots);
  s.logits = draw(rows * classes);
  s.targets = draw(4 * rows);
  for (int64_t i = 0; i < rows; ++i)
    s.labels.push_back(static_cast<int32_t>(random() % static_cast<size_t>(classes + 1)) - 1);
  return s;
}

inline Case random_case(int64_t anchors, int64_t rois, int64_t classes) {
  return {.anchors = random_stage(anchors, 2, 1, 1), .rois = random_stage(rois, classes, classes, 2)};
}

// simple-faster-rcnn-pytorch's _fast_rcnn_loc_loss and F.cross_entropy, and what autograd makes of them.
inline void add_stage(const Stage& s, double sigma, double scale, std::vector<double>& value,
                      std::vector<double>& of_locations, std::vector<double>& of_logits) {
  const double sigma2 = sigma * sigma;
  double n = 0, loc_loss = 0, cls_loss = 0;
  for (int32_t label : s.labels) n += label >= 0 ? 1 : 0;
  of_locations.assign(s.locations.size(), 0);
  of_logits.assign(s.logits.size(), 0);
  for (size_t i = 0; i < s.labels.size(); ++i) {
    if (s.labels[i] < 0) continue;
    const auto label = static_cast<size_t>(s.labels[i]), classes = static_cast<size_t>(s.classes);
    const double* z = &s.logits[i * classes];
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(z[c]);
    cls_loss += std::log(sum) - z[label];
    for (size_t c = 0; c < classes; ++c)
      of_logits[i * classes + c] = scale * (std::exp(z[c]) / sum - (c == label ? 1 : 0)) / n;
    if (label == 0) continue;
    const auto slots = static_cast<size_t>(s.slots);
    const size_t at = 4 * (i * slots + (slots == 1 ? 0 : label));
    for (size_t k = 0; k < 4; ++k) {
      const double diff = s.locations[at + k] - s.targets[4 * i + k], abs_diff = std::abs(diff);
      const double flag = abs_diff < 1 / sigma2 ? 1 : 0;
      loc_loss += flag * (sigma2 / 2) * diff * diff + (1 - flag) * (abs_diff - 0.5 / sigma2);
      of_locations[at + k] = scale * (flag * sigma2 * diff + (1 - flag) * (diff < 0 ? -1 : 1)) / n;
    }
  }
  value.push_back(loc_loss / n);
  value.push_back(cls_loss / n);
}

inline Result reference(const Case& c) {
  Result out;
  out.value = {0};
  add_stage(c.anchors, c.loss.anchor_sigma, c.scale, out.value, out.gradients[0], out.gradients[1]);
  add_stage(c.rois, c.loss.roi_sigma, c.scale, out.value, out.gradients[2], out.gradients[3]);
  for (size_t i = 1; i < 5; ++i) out.value[0] += out.value[i];
  return out;
}

inline bool all_nan(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v != v; });
}

// Logits here differ by less than 10: an exponent is wrong by 10 roundings, an exponential by 4 more, a sum
// by as many as it has terms.
template <class T>
void expect_close(const std::vector<double>& got, const std::vector<double>& want, double terms) {
  ASSERT_EQ(got.size(), want.size());
  double largest = 0;
  for (double v : want) largest = std::max(largest, std::abs(v));
  const double smallest = std::is_same_v<T, Half> ? 0x1p-25 : 0;  // half of the least number
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i],
                largest * (terms + 16) * kRounding<Computed<T>> + std::abs(want[i]) * kRounding<T> + smallest)
        << i;
}

template <class T, class Run>
void equals_the_reference(const Run& run, Case c) {
  for (Stage* s : {&c.anchors, &c.rois}) {
    s->locations = as_stored<T>(s->locations);
    s->logits = as_stored<T>(s->logits);
    s->targets = as_stored<Computed<T>>(s->targets);
  }
  c.scale = 4;
  const Result got = run.template of<T>(c), want = reference(c);
  const auto terms = static_cast<double>(c.rois.classes);
  EXPECT_EQ(got.status, 0u);
  expect_close<Computed<T>>(got.value, want.value, terms);
  for (size_t k = 0; k < 4; ++k) expect_close<T>(got.gradients[k], want.gradients[k], terms);
  c.gradients = false;
  EXPECT_EQ(run.template of<T>(c).value, got.value);
}

template <class Run>
void has_its_values_slopes(const Run& run) {
  const Case c = random_case(9, 6, 3);
  const Result r = run.template of<double>(c);
  for (size_t k = 0; k < 4; ++k) {
    Case moved = c;
    moved.gradients = false;
    Stage& stage = k < 2 ? moved.anchors : moved.rois;
    auto& values = k % 2 == 0 ? stage.locations : stage.logits;
    expect_gradient(values, r.gradients[k], [&](const std::vector<double>& x) {
      values = x;
      return run.template of<double>(moved).value[0];
    });
  }
}

// 0 / 0, as torch's mean of nothing; the other stage is not touched.
template <class Run>
void is_nan_without_samples(const Run& run) {
  Case c = random_case(5, 4, 3);
  const Result whole = run.template of<double>(c);
  c.rois.labels.assign(4, -1);
  Result r = run.template of<double>(c);
  EXPECT_TRUE(std::isnan(r.value[0]) && std::isnan(r.value[3]) && std::isnan(r.value[4]));
  EXPECT_EQ(r.value[1], whole.value[1]);
  EXPECT_EQ(r.value[2], whole.value[2]);
  EXPECT_EQ(r.gradients[0], whole.gradients[0]);
  EXPECT_EQ(r.gradients[2], std::vector<double>(48));
  EXPECT_EQ(r.gradients[3], std::vector<double>(12));
  EXPECT_EQ(r.status, 0u);
  c.rois = random_stage(0, 3, 3, 1);
  r = run.template of<double>(c);
  EXPECT_TRUE(std::isnan(r.value[3]));
  EXPECT_EQ(r.value[1], whole.value[1]);

  c = random_case(5, 4, 3);
  c.rois.labels.assign(4, 0);  // no positive is no fault
  EXPECT_EQ(run.template of<double>(c).value[3], 0);
}

template <class Run>
void does_not_look_at_what_does_not_count(const Run& run) {
  const Case c = random_case(40, 30, 4);
  Case ugly = c;
  for (Stage* s : {&ugly.anchors, &ugly.rois})
    for (size_t i = 0; i < s->labels.size(); ++i) {
      const auto slots = static_cast<size_t>(s->slots), classes = static_cast<size_t>(s->classes);
      for (size_t slot = 0; slot < slots; ++slot)
        if (s->labels[i] <= 0 || (slots > 1 && static_cast<size_t>(s->labels[i]) != slot))
          for (size_t k = 0; k < 4; ++k) s->locations[4 * (i * slots + slot) + k] = kNan;
      for (size_t k = 0; k < 4 && s->labels[i] <= 0; ++k) s->targets[4 * i + k] = kNan;
      for (size_t k = 0; k < classes && s->labels[i] < 0; ++k) s->logits[i * classes + k] = kInfinity;
    }
  const Result want = run.template of<double>(c), got = run.template of<double>(ugly);
  EXPECT_EQ(got.value, want.value);
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(got.gradients[k], want.gradients[k]);
  EXPECT_EQ(got.status, 0u);
}

template <class Run>
void names_its_faults(const Run& run) {
  const Case c = random_case(20, 15, 4);
  const Result whole = run.template of<double>(c);
  // Row `row` of stage `s` is spoiled, and the status says `fault`. spoiled: how many of its gradients are
  // NaN.
  const auto reports = [&](const Case& with, LossStatus fault, size_t of_locations, size_t of_logits, int s) {
    const Result r = run.template of<double>(with);
    EXPECT_EQ(r.status, fault) << describe(r.status) << " for " << describe(fault);
    EXPECT_TRUE(all_nan(r.value));
    const size_t want[] = {s == 0 ? of_locations : 0, s == 0 ? of_logits : 0, s == 1 ? of_locations : 0,
                           s == 1 ? of_logits : 0};
    for (size_t k = 0; k < 4; ++k) {
      size_t spoiled = 0;
      for (double g : r.gradients[k]) spoiled += g != g ? 1 : 0;
      EXPECT_EQ(spoiled, want[k]) << k << ' ' << describe(fault);
    }
  };
  for (int s = 0; s < 2; ++s) {
    const Stage& stage = s == 0 ? c.anchors : c.rois;
    size_t at = stage.labels.size() - 1;
    while (stage.labels[at] <= 0) --at;
    const auto row = static_cast<int64_t>(at) + (s == 0 ? 0 : c.anchors.rows);
    const auto slots = static_cast<size_t>(stage.slots), classes = static_cast<size_t>(stage.classes);
    const size_t slot = slots == 1 ? 0 : static_cast<size_t>(stage.labels[at]);
    const auto change = [&](auto body) {
      Case with = c;
      body(s == 0 ? with.anchors : with.rois);
      return with;
    };
    for (double bad : {kNan, kInfinity}) {
      reports(change([&](Stage& x) { x.locations[4 * (at * slots + slot) + 2] = bad; }),
              loss_status(LossFault::NotFinite, LossInput::Locations, row), 4, 0, s);
      reports(change([&](Stage& x) { x.logits[at * classes] = bad; }),
              loss_status(LossFault::NotFinite, LossInput::Logits, row), 0, classes, s);
    }
    reports(change([&](Stage& x) { x.targets[4 * at + 3] = kNan; }),
            loss_status(LossFault::NotFinite, LossInput::Boxes, row), 4, 0, s);
    for (int32_t label : {-2, static_cast<int32_t>(classes), kNoLabel, INT32_MAX})
      reports(change([&](Stage& x) { x.labels[at] = label; }),
              loss_status(LossFault::Label, LossInput::Labels, row), 4 * slots, classes, s);
    // log 0 of a degenerate object.
    const Result r = run.template of<double>(change([&](Stage& x) { x.targets[4 * at + 3] = -kInfinity; }));
    EXPECT_EQ(r.value[static_cast<size_t>(1 + 2 * s)], kInfinity);
    EXPECT_EQ(r.value[static_cast<size_t>(2 + 2 * s)], whole.value[static_cast<size_t>(2 + 2 * s)]);
    EXPECT_EQ(r.status, 0u);
  }
}

}  // namespace tyto::kernels::faster_rcnn
